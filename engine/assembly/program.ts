/**
 * Feature programs: what `src/shared/features.ts` makes of a spec, eight numbers an instruction (its op and arguments), and what it
 * takes to run them. Each op writes its channels to consecutive planes.
 */
import { openArena, mark, release } from './arena';
import { differenceOfGaussians, gaussian, gaussianRadius, original } from './families/gaussian';
import { discReach, maximum, mean, minimum, variance } from './families/discs';
import { derivative, derivativeRadius, laplacian } from './families/derivatives';
import { hessian, hessianOrientation, sobel } from './families/edges';
import { gabor, gaborReach } from './families/gabor';
import { entropy } from './families/entropy';
import { bilateral } from './families/bilateral';
import { anisotropicDiffusion } from './families/diffusion';
import { kuwahara, kuwaharaReach } from './families/kuwahara';
import { lipschitz, lipschitzReach } from './families/lipschitz';
import { membrane } from './families/membrane';
import { neighbourDistance, neighbours } from './families/neighbours';
import { noteIntegration, resetIntegrations, structureHalo, structureTensor } from './families/structure';
import { median } from './families/rank';
import { loadSource, outPlane, placeTile } from './tile';

const RECORD: usize = 64;

/** The ops, as `features.json` numbers them. */
const enum Op {
  original,
  gaussian,
  sobel,
  hessian,
  hessianOrientation,
  differenceOfGaussians,
  membrane,
  mean,
  variance,
  minimum,
  maximum,
  median,
  bilateral,
  derivatives,
  laplacian,
  structureTensor,
  entropy,
  neighbours,
  kuwahara,
  gabor,
  lipschitz,
  anisotropicDiffusion
}

/** Pixels around a tile that a program's channels depend on; −1 if there is an op that is not known. */
export function programHalo(program: usize, ops: i32): i32 {
  let most = 0;
  for (let i = 0; i < ops; i++) {
    const record = program + <usize>i * RECORD;
    const own = haloOf(<i32>load<f64>(record), load<f64>(record, 8), load<f64>(record, 16));
    if (own < 0) {
      return -1;
    }
    most = max(most, own);
  }
  return most;
}

function haloOf(op: i32, a: f64, b: f64): i32 {
  switch (op) {
    case Op.original:
      return 0;
    case Op.gaussian:
      return gaussianRadius(a);
    case Op.sobel:
      return gaussianRadius(a) + 1;
    case Op.hessian:
    case Op.hessianOrientation:
      return gaussianRadius(a) + 2;
    case Op.differenceOfGaussians:
      return gaussianRadius(b);
    case Op.membrane:
      return <i32>a >> 1;
    case Op.mean:
    case Op.variance:
    case Op.minimum:
    case Op.maximum:
    case Op.median:
    case Op.entropy:
      return discReach(a);
    case Op.bilateral:
      return <i32>a;
    case Op.kuwahara:
      return kuwaharaReach(<i32>a);
    case Op.lipschitz:
      return lipschitzReach(<i32>a);
    case Op.anisotropicDiffusion:
      return <i32>b;
    case Op.derivatives:
      return derivativeRadius(a, <i32>b);
    case Op.laplacian:
      return derivativeRadius(a, 2);
    case Op.structureTensor:
      return structureHalo(a, b);
    case Op.neighbours:
      return neighbourDistance(a);
    case Op.gabor:
      return gaborReach(a, b);
    default:
      return -1;
  }
}

function channelsOf(op: i32): i32 {
  switch (op) {
    case Op.hessian:
      return 5;
    case Op.kuwahara:
      return 3;
    case Op.hessianOrientation:
      return 3;
    case Op.membrane:
      return 6;
    case Op.structureTensor:
      return 2;
    case Op.neighbours:
      return 8;
    case Op.gabor:
      return 4;
    default:
      return 1;
  }
}

function runOp(op: i32, a: f64, b: f64, c: f64, out: usize): void {
  switch (op) {
    case Op.original:
      return original(out);
    case Op.gaussian:
      return gaussian(a, out);
    case Op.sobel:
      return sobel(a, out);
    case Op.hessian:
      return hessian(a, out);
    case Op.hessianOrientation:
      return hessianOrientation(a, out);
    case Op.differenceOfGaussians:
      return differenceOfGaussians(a, b, out);
    case Op.membrane:
      return membrane(<i32>a, <i32>b, out);
    case Op.mean:
      return mean(a, out);
    case Op.variance:
      return variance(a, out);
    case Op.minimum:
      return minimum(a, out);
    case Op.maximum:
      return maximum(a, out);
    case Op.median:
      return median(a, out);
    case Op.entropy:
      return entropy(a, <i32>b, out);
    case Op.bilateral:
      return bilateral(<i32>a, b, out);
    case Op.kuwahara:
      return kuwahara(<i32>a, out);
    case Op.lipschitz:
      return lipschitz(<i32>a, out);
    case Op.anisotropicDiffusion:
      return anisotropicDiffusion(a, <i32>b, out);
    case Op.derivatives:
      return derivative(a, <i32>b, out);
    case Op.laplacian:
      return laplacian(a, out);
    case Op.structureTensor:
      return structureTensor(a, b, out);
    case Op.neighbours:
      return neighbours(a, out);
    case Op.gabor:
      return gabor(a, b, c, out);
    default:
      unreachable();
  }
}

/**
 * Compute the feature stack of a tile.
 *
 * @param program f64 [ops][8]
 * @param pixels of the tile with `halo` around (at least {@link programHalo}), clipped at the image's edges; rows, columns, channels interleaved
 * @param dtype number of {@link Dtype}
 * @param luminance 1 computes the features of the luminance of three channels, 0 those of each channel, one after the other
 * @param low value that families of 256 grey levels take as 0; `high` as 255
 * @param origin pixels are taken as (value − `origin`) · `gain`
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
  out: usize,
  scratch: usize
): void {
  openArena(scratch);
  placeTile(imageRows, imageColumns, row0, row1, column0, column1, low, high, origin, gain);
  const bottom = mark();
  resetIntegrations();
  for (let i = 0; i < ops; i++) {
    const record = program + <usize>i * RECORD;
    if (<i32>load<f64>(record) == Op.structureTensor) {
      noteIntegration(load<f64>(record, 16));
    }
  }
  const planes = luminance ? 1 : channels;
  let next = out;
  for (let plane = 0; plane < planes; plane++) {
    loadSource(pixels, dtype, channels, luminance && channels > 1 ? -1 : plane, halo);
    for (let i = 0; i < ops; i++) {
      const record = program + <usize>i * RECORD;
      const op = <i32>load<f64>(record);
      runOp(op, load<f64>(record, 8), load<f64>(record, 16), load<f64>(record, 24), next);
      next += <usize>channelsOf(op) * outPlane;
    }
    release(bottom);
  }
}
