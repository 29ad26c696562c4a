/**
 * Smooths probabilities along the image's edges by a guided filter (`assembly/refine.ts`); the guide is the standardised image, slightly smoothed
 * against noise.
 */
import { featureSpec } from '../../src/shared/features';
import { Rect } from '../../src/shared/rect';
import { ISegmentedTile } from './forest';
import { Engine } from './wasm';

/** The guide: channel {@link GUIDE_CHANNEL} of this spec, the luminance under a Gaussian of one pixel. */
export const GUIDE_SPEC = featureSpec({
  families: { gaussian: { sigmas: [1] } },
  color: 'luminance',
  standardise: true
});
export const GUIDE_CHANNEL = 1;

/** ε of the filter: a region is flat if the guide's variance is well below a twentieth of the image's. */
export const REFINE_EPSILON = 0.05 * 42.5 ** 2;

/** Pixels beyond a tile that its refined probabilities depend on, rounded up to whole blocks of 4 × 4 pixels. */
export function refineHalo(radius: number): number {
  return Math.ceil((2 * radius) / 4) * 4;
}

/** A tile with its halo, clipped at the image's edges. */
export function refinedTile(image: { rows: number; columns: number }, tile: Rect, radius: number): Rect {
  const halo = refineHalo(radius);
  return {
    row0: Math.max(0, tile.row0 - halo),
    row1: Math.min(image.rows, tile.row1 + halo),
    column0: Math.max(0, tile.column0 - halo),
    column1: Math.min(image.columns, tile.column1 + halo)
  };
}

/**
 * Refine a tile.
 *
 * @param outer the tile as {@link refinedTile} gives it
 * @param probabilities f32 [pixel of `outer`][class]
 * @param guide f32 plane of `outer`, `stride` numbers from row to row
 * @returns views of the engine's memory, good until the next call that allocates there
 */
export function refineTile(
  engine: Engine,
  outer: Rect,
  tile: Rect,
  probabilities: Float32Array,
  classes: number,
  guide: { data: Float32Array; stride: number },
  radius: number,
  wanted: { [name in keyof ISegmentedTile]?: boolean }
): ISegmentedTile {
  const rows = outer.row1 - outer.row0;
  const columns = outer.column1 - outer.column0;
  if (probabilities.length !== rows * columns * classes || guide.data.length < (rows - 1) * guide.stride + columns) {
    throw new RangeError(`${probabilities.length} probabilities do not fill ${rows} × ${columns} × ${classes}.`);
  }
  const partRows = tile.row1 - tile.row0;
  const partColumns = tile.column1 - tile.column0;
  const pixels = partRows * partColumns;
  const place = (values: Float32Array) =>
    values.buffer === engine.kernels.memory.buffer ? values.byteOffset : engine.put(values);
  const from = place(probabilities);
  // Growing memory detaches views, not addresses.
  const guided = guide.data.byteLength === 0 ? 0 : place(guide.data);
  const refined = engine.allocate(pixels * classes * 4);
  const prediction = wanted.prediction ? engine.allocate(pixels) : 0;
  const uncertainty = wanted.uncertainty ? engine.allocate(pixels * 4) : 0;
  const scratch = engine.allocate(engine.kernels.refineScratch(rows, columns, radius));
  engine.kernels.refine(
    from,
    rows,
    columns,
    classes,
    guided,
    guide.stride * 4,
    tile.row0 - outer.row0,
    tile.column0 - outer.column0,
    partRows,
    partColumns,
    radius,
    REFINE_EPSILON,
    refined,
    prediction,
    uncertainty,
    scratch
  );
  return {
    ...(prediction && { prediction: engine.u8(prediction, pixels) }),
    ...(wanted.probabilities && { probabilities: engine.f32(refined, pixels * classes) }),
    ...(uncertainty && { uncertainty: engine.f32(uncertainty, pixels) })
  };
}
