/**
 * A disc that slides over a tile: to the right along a row, one down, to the left along the next, and so on, so that each step changes only
 * the pixels along its edge. The histogram that slides has whole numbers, so no rounding errors build up along the way.
 */
import { allocate } from '../arena';
import { discReach, halfWidth } from './discs';

/** Bytes of a pair of offsets: i32 of the pixel that enters, i32 of the one that leaves. */
export const PAIR: usize = 8;

/** Pairs of a step: rows of the disc. */
export function pairsOf(radius: f64): i32 {
  return 2 * discReach(radius) + 1;
}

/**
 * Offsets from the centre before a step of the pixels that enter and leave, in the arena: the step to the right, then to the left, then down.
 *
 * @param stride bytes from row to row; `size` bytes of a pixel
 */
export function slidePairs(radius: f64, stride: usize, size: usize): usize {
  const reach = discReach(radius);
  const pairs = <usize>pairsOf(radius);
  const right = allocate(3 * pairs * PAIR);
  const left = right + pairs * PAIR;
  const down = left + pairs * PAIR;
  for (let i = -reach; i <= reach; i++) {
    const half = halfWidth(radius, i);
    const at = <usize>(i + reach) * PAIR;
    const row = i * <i32>stride;
    const column = i * <i32>size;
    store<i32>(right + at, row + (half + 1) * <i32>size);
    store<i32>(right + at, row - half * <i32>size, 4);
    store<i32>(left + at, row - (half + 1) * <i32>size);
    store<i32>(left + at, row + half * <i32>size, 4);
    store<i32>(down + at, (half + 1) * <i32>stride + column);
    store<i32>(down + at, -half * <i32>stride + column, 4);
  }
  return right;
}

/** Offsets (i32) of all pixels of the disc, in the arena. */
export function discOffsets(radius: f64, pixels: i32, stride: usize, size: usize): usize {
  const offsets = allocate(<usize>pixels << 2);
  const reach = discReach(radius);
  let to = offsets;
  for (let row = -reach; row <= reach; row++) {
    const half = halfWidth(radius, row);
    for (let column = -half; column <= half; column++) {
      store<i32>(to, row * <i32>stride + column * <i32>size);
      to += 4;
    }
  }
  return offsets;
}
