/**
 * Feature programs: the ops that `src/shared/features.ts` makes of a spec, eight numbers each (op and arguments), and the loop that runs
 * them. Each op writes its channels to consecutive planes. `families/index.ts` registers the ops.
 */
import { openArena, mark, release } from './arena';
import { channelsOf, compute, plan, reachOf } from './family';
import './families';
import { loadSource, outPlane, placeTile } from './tile';

/** Bytes of an op: f64 number, f64 arguments. */
const RECORD: usize = 64;
const ARGUMENTS: usize = 8;

/** Pixels around a tile that a program's channels depend on; −1 if there is an op that does not exist. */
export function programHalo(program: usize, ops: i32): i32 {
  let most = 0;
  for (let i = 0; i < ops; i++) {
    const record = program + <usize>i * RECORD;
    const op = <i32>load<f64>(record);
    if (!channelsOf(op)) {
      return -1;
    }
    most = max(most, reachOf(op, record + ARGUMENTS));
  }
  return most;
}

/**
 * Compute the feature stack of a tile.
 *
 * @param program f64 [ops][8], of ops that {@link programHalo} knows
 * @param pixels of the tile with `halo` around (at least {@link programHalo}), clipped at the image's edges; rows, columns, channels interleaved
 * @param dtype number of `Dtype` (`tile.ts`)
 * @param luminance 1 computes the features of the luminance of three channels, 0 those of each channel, one after the other
 * @param low value that families of 256 grey levels take as 0; `high` as 255
 * @param origin pixels are taken as (value − `origin`) · `gain`
 * @param standardised 1 if these are standardised pixels, which are compressed far from the mean
 * @param out f32 planes, one a feature: rows and columns rounded up to multiples of 4
 * @param scratch where free memory begins; the memory grows as needed, and the call traps where it cannot
 */
export function computeTile(
  program: usize,
  ops: i32,
  imageRows: i32,
  imageColumns: i32,
  row0: i32,
  row1: i32,
  column0: i32,
  column1: i32,
  halo: i32,
  pixels: usize,
  dtype: i32,
  channels: i32,
  luminance: i32,
  low: f64,
  high: f64,
  origin: f64,
  gain: f64,
  standardised: i32,
  out: usize,
  scratch: usize
): void {
  openArena(scratch);
  placeTile(imageRows, imageColumns, row0, row1, column0, column1, low, high, origin, gain, standardised != 0);
  const bottom = mark();
  for (let i = 0; i < ops; i++) {
    const record = program + <usize>i * RECORD;
    plan(<i32>load<f64>(record), record + ARGUMENTS);
  }
  const planes = luminance ? 1 : channels;
  let next = out;
  for (let plane = 0; plane < planes; plane++) {
    loadSource(pixels, dtype, channels, luminance && channels > 1 ? -1 : plane, halo);
    for (let i = 0; i < ops; i++) {
      const record = program + <usize>i * RECORD;
      const op = <i32>load<f64>(record);
      compute(op, record + ARGUMENTS, next);
      next += <usize>channelsOf(op) * outPlane;
    }
    release(bottom);
  }
}
