/** Random structures whose phase fraction is known. */

/** Uniform numbers from 0 to 1. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A Boolean model: discs around the points of a Poisson process, which may overlap, are phase 2 of the expected fraction; all else is phase 1. Points lie
 * beyond the edges too, so the image is cut from an endless structure.
 */
export function discs(given: {
  seed: number;
  rows: number;
  columns: number;
  radius: number;
  fraction: number;
}): Uint8Array {
  const { seed, rows, columns, radius, fraction } = given;
  const random = randomNumbers(seed);
  const offsets: [number, number][] = [];
  for (let down = -radius; down <= radius; down++) {
    for (let right = -radius; right <= radius; right++) {
      if (down ** 2 + right ** 2 <= radius ** 2) {
        offsets.push([down, right]);
      }
    }
  }
  const perPixel = -Math.log(1 - fraction) / offsets.length;
  const ids = new Uint8Array(rows * columns).fill(1);
  for (let row = -radius; row < rows + radius; row++) {
    for (let column = -radius; column < columns + radius; column++) {
      // A pixel is the centre of a disc unless its Poisson number is 0.
      if (random() < 1 - Math.exp(-perPixel)) {
        for (const [down, right] of offsets) {
          const [y, x] = [row + down, column + right];
          if (y >= 0 && y < rows && x >= 0 && x < columns) {
            ids[y * columns + x] = 2;
          }
        }
      }
    }
  }
  return ids;
}
