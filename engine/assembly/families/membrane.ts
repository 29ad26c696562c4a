/**
 * Membrane projections, as in Trainable Weka Segmentation: the image is averaged along a line of `patch` pixels' length in ten
 * directions, 18° apart, and the ten averages are projected: mean, maximum, minimum, sum, standard deviation (n − 1), median.
 *
 * The line is made of the columns ⌊patch/2⌋ − ⌊thickness/2⌋ to ⌊patch/2⌋ + ⌈thickness/2⌉ of a square patch (so a thickness of 1 is two
 * pixels wide) and rotated by nearest neighbours about the patch's centre, as ImageJ rotates.
 *
 * Each rotated line is covered by small boxes, whose sums are planes of their own, made by doubling.
 *
 * `engine/onnx/membrane.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two, and
 * `sambalab/tests/features/test_linear.py` compares the kernels with NumPy and SciPy.
 */
import { allocate, mark, release } from '../arena';
import { argument } from '../family';
import { lineProjections } from '../membrane-lines';
import { add } from '../planes';
import { outPlane, outStride, rows, sourceAt, sourceStride, width } from '../tile';

const DIRECTIONS = 10;
/**
 * Kinds of boxes, the largest first: rows × columns; the kinds that each is made of, and how many rows and columns the second lies below
 * and right of the first.
 */
const BOXES = 10;
const BOX_ROWS: StaticArray<i32> = [4, 2, 3, 2, 2, 4, 1, 2, 1, 1];
const BOX_COLUMNS: StaticArray<i32> = [2, 4, 2, 3, 2, 1, 4, 1, 2, 1];
const BOX_FIRST: StaticArray<i32> = [4, 4, 4, 4, 8, 7, 8, 9, 9, -1];
const BOX_SECOND: StaticArray<i32> = [4, 4, 8, 7, 8, 7, 8, 9, 9, -1];
const BOX_DOWN: StaticArray<i32> = [2, 0, 2, 0, 1, 2, 0, 1, 0, 0];
const BOX_RIGHT: StaticArray<i32> = [0, 2, 0, 2, 0, 0, 2, 0, 1, 0];

/** Write the rotated line, patch × patch bytes of 0 and 1, to `out`. @returns its pixels */
export function rotatedLine(patch: i32, thickness: i32, direction: i32, out: usize): i32 {
  const middle = patch >> 1;
  const first = middle - (thickness >> 1);
  const last = middle + ((thickness + 1) >> 1);
  const centre = <f64>(patch - 1) / 2;
  const angle = (<f64>-direction * Math.PI) / <f64>DIRECTIONS;
  const cosine = Math.cos(angle);
  const sine = Math.sin(angle);
  const size = <f64>patch;
  let count = 0;
  for (let row = 0; row < patch; row++) {
    for (let column = 0; column < patch; column++) {
      const x = (<f64>column - centre) * cosine - (<f64>row - centre) * sine + centre;
      const y = (<f64>column - centre) * sine + (<f64>row - centre) * cosine + centre;
      let one = 0;
      if (x >= -0.01 && x < size && y >= -0.01 && y < size) {
        const nearest = min(patch - 1, <i32>Math.floor(x + 0.5));
        one = <i32>(nearest >= first && nearest <= last);
      }
      store<u8>(out + <usize>(row * patch + column), <u8>one);
      count += one;
    }
  }
  return count;
}

/**
 * Cover the ones of a line by boxes, each pixel once, large boxes first, and write the addresses of their planes (u32).
 *
 * @param line patch × patch bytes; it is cleared
 * @param boxes u32 [BOXES]: addresses of the planes at the upper left corner of the patch of the tile's first pixel
 * @returns the number of boxes
 */
function cover(line: usize, patch: i32, boxes: usize, addresses: usize): i32 {
  let count = 0;
  for (let box = 0; box < BOXES; box++) {
    const height = unchecked(BOX_ROWS[box]);
    const breadth = unchecked(BOX_COLUMNS[box]);
    const plane = <usize>load<u32>(boxes + (<usize>box << 2));
    for (let row = 0; row + height <= patch; row++) {
      for (let column = 0; column + breadth <= patch; column++) {
        const corner = line + <usize>(row * patch + column);
        let whole = true;
        for (let i = 0; i < height * breadth && whole; i++) {
          whole = load<u8>(corner + <usize>((i / breadth) * patch + (i % breadth))) != 0;
        }
        if (whole) {
          for (let i = 0; i < height * breadth; i++) {
            store<u8>(corner + <usize>((i / breadth) * patch + (i % breadth)), 0);
          }
          store<u32>(addresses + (<usize>count << 2), <u32>(plane + <usize>row * sourceStride + (<usize>column << 2)));
          count++;
        }
      }
    }
  }
  return count;
}

/** Make the planes of box sums of the source and write their addresses to `boxes`. */
function boxPlanes(boxes: usize, reach: i32): void {
  const bytes = <usize>(rows + 2 * reach) * sourceStride;
  store<u32>(boxes + (<usize>(BOXES - 1) << 2), <u32>sourceAt(-reach, -reach));
  for (let box = BOXES - 2; box >= 0; box--) {
    const first = <usize>load<u32>(boxes + (<usize>unchecked(BOX_FIRST[box]) << 2));
    const second = <usize>load<u32>(boxes + (<usize>unchecked(BOX_SECOND[box]) << 2));
    const address = allocate(bytes + 4 * sourceStride);
    const shift = <usize>unchecked(BOX_DOWN[box]) * sourceStride + (<usize>unchecked(BOX_RIGHT[box]) << 2);
    add(first, second + shift, address, bytes);
    store<u32>(boxes + (<usize>box << 2), <u32>address);
  }
}

export function membraneReach(args: usize): i32 {
  return <i32>argument(args, 0) >> 1;
}

/** Arguments: patch, thickness. */
export function membrane(args: usize, out: usize): void {
  const patch = <i32>argument(args, 0);
  const thickness = <i32>argument(args, 1);
  const bottom = mark();
  const reach = patch >> 1;
  const boxes = allocate(<usize>BOXES << 2);
  boxPlanes(boxes, reach);
  const line = allocate(<usize>(patch * patch));
  const table = allocate((<usize>DIRECTIONS * <usize>(patch * patch + 2)) << 2);
  let entry = table;
  for (let direction = 0; direction < DIRECTIONS; direction++) {
    const pixels = rotatedLine(patch, thickness, direction, line);
    const count = cover(line, patch, boxes, entry + 8);
    store<u32>(entry, count);
    store<f32>(entry, <f32>pixels, 4);
    entry += 8 + (<usize>count << 2);
  }
  const scratch = allocate(32 * <usize>DIRECTIONS);
  lineProjections(table, sourceStride, out, outStride, outPlane, width, rows, scratch);
  release(bottom);
}
