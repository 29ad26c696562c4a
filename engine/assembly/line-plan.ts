/**
 * Plans how to add up the pixels of a line, or find their minimum, with few operations: by doubling. A shift t is chosen so that
 * many of the line's pixels p have p + t in the line too; the plane of a(p) + a(p + t) then holds these pairs, its own pairs are fours, and
 * so on. A term is an element of a level that is in no pair. Each pixel of the line is in exactly one term.
 *
 * A plan is: i32 levels, i32 pixels; for each level i32 row and column of its shift; i32 number of terms, and for each i32 level, row,
 * column, the highest level first.
 */

/** Most pixels of a line. */
export const LINE_PIXELS_MAX: usize = 160;
export const PLAN_LEVELS = 3;
const SHIFTS: usize = 8;
const TERMS: usize = SHIFTS + 8 * PLAN_LEVELS;
export const PLAN_BYTES: usize = TERMS + 4 + 12 * LINE_PIXELS_MAX;
/** A level needs at least this many pairs. */
const WORTH = 3;
/** Shifts are tried from each of this many first pixels to all others. */
const FIRST = 4;

/** For each pixel: its role in the shift that was tried last. */
const ALONE: u8 = 0;
const FIRST_OF_PAIR: u8 = 1;
const SECOND_OF_PAIR: u8 = 2;
const states = new StaticArray<u8>(160);

/** Pixels of the planned line. */
export function planPixels(plan: usize): i32 {
  return load<i32>(plan, 4);
}

/** Bytes by which a level's second half is shifted, in planes with `stride` bytes a row and 8 bytes a pixel. */
export function planShift(plan: usize, level: i32, stride: usize): usize {
  const shift = plan + SHIFTS + (<usize>level << 3);
  return <usize>(load<i32>(shift) * <i32>stride + (load<i32>(shift, 4) << 3));
}

/**
 * Plan a line.
 *
 * @param line i32 row and column of each pixel, row by row; overwritten
 */
export function planLine(line: usize, pixels: i32, plan: usize): void {
  store<i32>(plan, pixels, 4);
  let count = pixels;
  let levels = 0;
  let terms = 0;
  // Terms are gathered from the end of their list, since the highest level comes first.
  const list = plan + TERMS + 4;
  let last = list + 12 * LINE_PIXELS_MAX;
  while (levels < PLAN_LEVELS) {
    let most = WORTH - 1;
    let bestRow = 0;
    let bestColumn = 0;
    for (let i = 0; i < min(FIRST, count); i++) {
      for (let j = i + 1; j < count; j++) {
        const down = rowOf(line, j) - rowOf(line, i);
        const right = columnOf(line, j) - columnOf(line, i);
        const pairs = pairUp(line, count, down, right);
        if (pairs > most) {
          most = pairs;
          bestRow = down;
          bestColumn = right;
        }
      }
    }
    if (most < WORTH) {
      break;
    }
    store<i32>(plan + SHIFTS + (<usize>levels << 3), bestRow);
    store<i32>(plan + SHIFTS + (<usize>levels << 3), bestColumn, 4);
    pairUp(line, count, bestRow, bestColumn);
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const state = unchecked(states[i]);
      if (state == FIRST_OF_PAIR) {
        memory.copy(line + (<usize>kept << 3), line + (<usize>i << 3), 8);
        kept++;
      } else if (state == ALONE) {
        last -= 12;
        putTerm(last, levels, line + (<usize>i << 3));
        terms++;
      }
    }
    count = kept;
    levels++;
  }
  for (let i = count - 1; i >= 0; i--) {
    last -= 12;
    putTerm(last, levels, line + (<usize>i << 3));
    terms++;
  }
  memory.copy(list, last, 12 * <usize>terms);
  store<i32>(plan, levels);
  store<i32>(plan + TERMS, terms);
}

/** Pair pixels that are one shift apart, each at most once, and note their roles. @returns the number of pairs */
function pairUp(line: usize, count: i32, down: i32, right: i32): i32 {
  for (let i = 0; i < count; i++) {
    unchecked((states[i] = ALONE));
  }
  let pairs = 0;
  // Both are in order, so the second of a pair is never before the one found last.
  let other = 0;
  for (let i = 0; i < count; i++) {
    const row = rowOf(line, i) + down;
    const column = columnOf(line, i) + right;
    while (other < count && (rowOf(line, other) < row || (rowOf(line, other) == row && columnOf(line, other) < column))) {
      other++;
    }
    const found = other < count && rowOf(line, other) == row && columnOf(line, other) == column;
    if (found && unchecked(states[i]) == ALONE) {
      unchecked((states[i] = FIRST_OF_PAIR));
      unchecked((states[other] = SECOND_OF_PAIR));
      pairs++;
    }
  }
  return pairs;
}

/**
 * Addresses of the terms' planes (u32), for kernels that add the place of a pixel to them.
 *
 * @param pixels address of the centre in the plane of single pixels
 * @param levels bytes from there to that of the first level's plane, and `next` from one level to the next
 * @returns the number of terms
 */
export function writeTerms(plan: usize, pixels: usize, levels: usize, next: usize, stride: usize, out: usize): i32 {
  const count = load<i32>(plan + TERMS);
  let term = plan + TERMS + 4;
  for (let i = 0; i < count; i++) {
    const level = load<i32>(term);
    const plane = level ? pixels + levels + <usize>(level - 1) * next : pixels;
    const place = <usize>(load<i32>(term, 4) * <i32>stride + (load<i32>(term, 8) << 3));
    store<u32>(out + (<usize>i << 2), <u32>(plane + place));
    term += 12;
  }
  return count;
}

function putTerm(to: usize, level: i32, pixel: usize): void {
  store<i32>(to, level);
  memory.copy(to + 4, pixel, 8);
}

@inline
function rowOf(line: usize, i: i32): i32 {
  return load<i32>(line + (<usize>i << 3));
}

@inline
function columnOf(line: usize, i: i32): i32 {
  return load<i32>(line + (<usize>i << 3), 4);
}
