/**
 * Interpolates an encoder's maps bilinearly from their coarse grid to the pixels of a tile: component k at pixel (row, column) is the value of its map at
 * ((row + ½) / cell − ½, (column + ½) / cell − ½), clamped to the grid (pixels and cells are squares, and values are those of their centres).
 *
 * Places are float64 and depend on the pixel alone, so tiles join without seams. Values are float32: first along the columns, then along the
 * rows, each a + (b − a) · weight, in this order everywhere.
 *
 * `engine/onnx/embedding.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_embedding.py` and
 * `sambalab/tests/wasm/test_embedding.py` compare the two.
 */
import { allocate, openArena } from './arena';

/** Where a pixel lies on a grid of `count` cells. */
@inline
function placeOf(pixel: i32, cell: f64, count: i32): f64 {
  const place = (<f64>pixel + 0.5) / cell - 0.5;
  return Math.max(0, Math.min(<f64>(count - 1), place));
}

/**
 * Write the components of a layer into planes of a tile, laid out as those of `computeTile`.
 *
 * @param cells f32 [components][cropRows][cropColumns], the part of the grid that the tile's pixels need, from cell (cropRow, cropColumn) on
 * @param gridRows rows of the whole grid
 * @param cell pixels under a cell's side
 * @param out f32 planes, one a component: rows and columns rounded up to multiples of 4
 * @param scratch where free memory begins; the memory grows as needed, and the call traps where it cannot
 */
export function embedTile(
  cells: usize,
  components: i32,
  cropRow: i32,
  cropColumn: i32,
  cropRows: i32,
  cropColumns: i32,
  gridRows: i32,
  gridColumns: i32,
  cell: f64,
  row0: i32,
  row1: i32,
  column0: i32,
  column1: i32,
  out: usize,
  scratch: usize
): void {
  openArena(scratch);
  const rows = row1 - row0;
  const width = (column1 - column0 + 3) & ~3;
  const stride = <usize>width << 2;
  const plane = <usize>((rows + 3) & ~3) * stride;
  const cropStride = <usize>cropColumns << 2;
  // For each column: bytes to the cell before it and to the one after it, and the weight of the latter.
  const before = allocate(stride);
  const after = allocate(stride);
  const weights = allocate(stride);
  for (let x = 0; x < width; x++) {
    const place = placeOf(column0 + x, cell, gridColumns);
    const first = <i32>Math.floor(place);
    const at = <usize>x << 2;
    store<u32>(before + at, within(first - cropColumn, cropColumns) << 2);
    store<u32>(after + at, within(min(first + 1, gridColumns - 1) - cropColumn, cropColumns) << 2);
    store<f32>(weights + at, <f32>(place - <f64>first));
  }
  const lines = allocate(<usize>cropRows * stride);
  for (let component = 0; component < components; component++) {
    let line = lines;
    for (let y = 0; y < cropRows; y++) {
      for (let at: usize = 0; at < stride; at += 16) {
        const b = before + at;
        const a = after + at;
        let low = v128.load32_splat(cells + <usize>load<u32>(b));
        low = v128.load32_lane(cells + <usize>load<u32>(b, 4), low, 1);
        low = v128.load32_lane(cells + <usize>load<u32>(b, 8), low, 2);
        low = v128.load32_lane(cells + <usize>load<u32>(b, 12), low, 3);
        let high = v128.load32_splat(cells + <usize>load<u32>(a));
        high = v128.load32_lane(cells + <usize>load<u32>(a, 4), high, 1);
        high = v128.load32_lane(cells + <usize>load<u32>(a, 8), high, 2);
        high = v128.load32_lane(cells + <usize>load<u32>(a, 12), high, 3);
        v128.store(line + at, between(low, high, v128.load(weights + at)));
      }
      cells += cropStride;
      line += stride;
    }
    let to = out;
    for (let y = 0; y < rows; y++) {
      const place = placeOf(row0 + y, cell, gridRows);
      const first = <i32>Math.floor(place);
      const low = lines + <usize>within(first - cropRow, cropRows) * stride;
      const high = lines + <usize>within(min(first + 1, gridRows - 1) - cropRow, cropRows) * stride;
      const weight = f32x4.splat(<f32>(place - <f64>first));
      for (let at: usize = 0; at < stride; at += 16) {
        v128.store(to + at, between(v128.load(low + at), v128.load(high + at), weight));
      }
      to += stride;
    }
    out += plane;
  }
}

@inline
function between(low: v128, high: v128, weight: v128): v128 {
  return f32x4.add(low, f32x4.mul(f32x4.sub(high, low), weight));
}

/** Columns beyond the tile, up to a multiple of 4, may lie beyond the cells that are given. */
@inline
function within(index: i32, count: i32): u32 {
  return <u32>max(0, min(index, count - 1));
}

/**
 * Put the bins of two parts of a feature stack together, block by block: [block][first + second][16].
 *
 * @param firstBytes bytes of the first part's block
 */
export function joinBlocks(
  first: usize,
  firstBytes: usize,
  second: usize,
  secondBytes: usize,
  blocks: i32,
  out: usize
): void {
  for (let block = 0; block < blocks; block++) {
    memory.copy(out, first, firstBytes);
    out += firstBytes;
    first += firstBytes;
    memory.copy(out, second, secondBytes);
    out += secondBytes;
    second += secondBytes;
  }
}
