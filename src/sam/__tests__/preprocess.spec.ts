import { ISeenContrast, Preprocessor, triangleFilter } from '..';
import { preprocessed } from './support/whole-image';
import { IModelManifest } from '../../shared/models';
import { MOBILE_SAM } from '../../shared/models/mobile-sam';

/** A frame of 16 pixels, so that every value can be computed the slow way. */
const SMALL: IModelManifest = { ...MOBILE_SAM, encoder: { ...MOBILE_SAM.encoder, size: 16 } };
const SIDE = 16;

function noise(length: number, seed: number): Float64Array {
  let state = seed;
  return Float64Array.from({ length }, () => (state = (state * 48271) % 2147483647) / 2147483647);
}

/** Every output pixel as the weighted mean over the whole image, from the definition of the filter. */
function reference(
  pixels: ArrayLike<number>,
  [rows, columns, channels]: [number, number, number],
  frame: [number, number],
  low: number,
  high: number
): Float64Array {
  const out = new Float64Array(3 * SIDE * SIDE);
  const { mean, std } = SMALL.encoder;
  const weight = (input: number, output: number, scale: number) =>
    Math.max(0, 1 - Math.abs(input + 0.5 - (output + 0.5) * scale) / Math.max(1, scale));
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < frame[0]; y++) {
      for (let x = 0; x < frame[1]; x++) {
        let sum = 0;
        let weights = 0;
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++) {
            const w = weight(row, y, rows / frame[0]) * weight(column, x, columns / frame[1]);
            const raw = pixels[(row * columns + column) * channels + (channels === 3 ? c : 0)]!;
            sum += w * Math.min(255, Math.max(0, ((raw - low) / (high - low)) * 255));
            weights += w;
          }
        }
        out[(c * SIDE + y) * SIDE + x] = (sum / weights - mean[c]!) / std[c]!;
      }
    }
  }
  return out;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  }
  return worst;
}

describe('Preprocessor', () => {
  it.each([
    ['reduced, grey', [40, 23, 1], [16, 9]],
    ['reduced, colour', [19, 37, 3], [8, 16]],
    ['enlarged, grey', [5, 7, 1], [11, 16]],
    ['as large as the frame', [16, 16, 3], [16, 16]],
    ['a single pixel', [1, 1, 1], [16, 16]],
    ['a line', [1, 50, 1], [1, 16]]
  ] as const)('agrees with the definition of the filter: %s', (_, shape, frame) => {
    const [rows, columns, channels] = shape;
    const pixels = noise(rows * columns * channels, 5).map(value => value * 4000 - 200);
    const ours = preprocessed(pixels, { rows, columns }, channels, { low: 100, high: 3500 }, SMALL);
    expect(largestDifference(ours, reference(pixels, [rows, columns, channels], [...frame], 100, 3500))).toBeLessThan(
      1e-5
    );
  });

  it('gives the same whether rows come one by one or all at once', () => {
    const pixels = noise(30 * 21, 9);
    const whole = preprocessed(pixels, { rows: 30, columns: 21 }, 1, { low: 0, high: 1 }, SMALL);
    const preprocessor = new Preprocessor({ rows: 30, columns: 21 }, 1, { low: 0, high: 1 }, SMALL);
    for (let row = 0; row < 30; row++) {
      preprocessor.add(pixels.subarray(row * 21, (row + 1) * 21));
    }
    expect([...preprocessor.finish()]).toEqual([...whole]);
  });

  it('shows the contrast of the user: as an image of the values that the screen shows', () => {
    const pixels = noise(12 * 16 * 3, 4).map(value => value * 1000);
    const see = (values: Float64Array, contrast: ISeenContrast) => {
      const preprocessor = new Preprocessor({ rows: 12, columns: 16 }, 3, contrast, SMALL);
      preprocessor.add(values);
      return preprocessor.finish();
    };
    const contrast = { low: 200, high: 800, gamma: 0.5, inverse: true };
    const shown = pixels.map(value => {
      const part = Math.min(Math.max((value - 200) / 600, 0), 1);
      return 255 - Math.round(255 * Math.sqrt(part));
    });
    const plain = { low: 0, high: 255 };
    const most = 1 / SMALL.encoder.std[0] + 1e-4; // the screen has whole numbers
    expect(largestDifference(see(pixels, contrast), see(shown, plain))).toBeLessThan(most);
    const grey = shown.map((_, i) => shown[i - (i % 3) + 1]!);
    const green = { ...contrast, channels: [false, true, false] as [boolean, boolean, boolean] };
    expect(largestDifference(see(pixels, green), see(grey, plain))).toBeLessThan(most);
    const noBlue = shown.map((value, i) => (i % 3 === 2 ? 0 : value));
    const two = { ...contrast, channels: [true, true, false] as [boolean, boolean, boolean] };
    expect(largestDifference(see(pixels, two), see(noBlue, plain))).toBeLessThan(most);
  });

  it('pads with zeros after normalising, not with black', () => {
    const ours = preprocessed(
      new Uint8Array(8 * 4).fill(255),
      { rows: 8, columns: 4 },
      1,
      { low: 0, high: 255 },
      SMALL
    );
    const white = (255 - SMALL.encoder.mean[0]) / SMALL.encoder.std[0];
    expect(ours[7]).toBeCloseTo(white, 5);
    expect([...ours.subarray(8, 16)]).toEqual(new Array(8).fill(0));
  });

  it('makes a flat image and NaN pixels black', () => {
    const black = (0 - SMALL.encoder.mean[0]) / SMALL.encoder.std[0];
    const flat = preprocessed(new Float32Array(256).fill(7), { rows: 16, columns: 16 }, 1, { low: 7, high: 7 }, SMALL);
    expect(flat[0]).toBeCloseTo(black, 5);
    const none = preprocessed(
      new Float32Array(256).fill(NaN),
      { rows: 16, columns: 16 },
      1,
      { low: 0, high: 1 },
      SMALL
    );
    expect(none[0]).toBeCloseTo(black, 5);
  });

  it('shows a part of an image as it shows that part alone', () => {
    const [rows, columns] = [20, 30];
    const pixels = noise(rows * columns, 7);
    const part = Float64Array.from(
      { length: 8 * 12 },
      (_, i) => pixels[(5 + Math.floor(i / 12)) * columns + 9 + (i % 12)]!
    );
    const alone = preprocessed(part, { rows: 8, columns: 12 }, 1, { low: 0, high: 1 }, SMALL);
    const view = { row0: 0, row1: 8, column0: 0, column1: 12, frame: { rows: 11, columns: 16 } };
    const shown = new Preprocessor({ rows: 8, columns: 12 }, 1, { low: 0, high: 1 }, SMALL, view);
    shown.add(part);
    expect([...shown.finish()]).toEqual([...alone]);
  });

  it('begins and ends between pixels where a view does', () => {
    // A ramp: the mean under a triangle is the value at its centre, wherever that stands.
    const ramp = Float64Array.from({ length: 40 * 40 }, (_, i) => i % 40);
    const view = { row0: 2, row1: 38, column0: 4.25, column1: 35.75, frame: { rows: 16, columns: 9 } };
    const shown = new Preprocessor({ rows: 40, columns: 40 }, 1, { low: 0, high: 255 }, SMALL, view);
    shown.add(ramp);
    const out = shown.finish();
    const { mean, std } = SMALL.encoder;
    for (let column = 0; column < SIDE; column++) {
      // Pixel 3.5 of the ramp's axis has the value 3: centres stand at halves.
      const value = column < 9 ? (4.25 + ((column + 0.5) * 31.5) / 9 - 0.5 - mean[0]!) / std[0]! : 0;
      expect(out[5 * SIDE + column]).toBeCloseTo(value, 5);
    }
  });

  it('refuses rows that are too many, too few or of the wrong length, and channels it does not know', () => {
    const make = () => new Preprocessor({ rows: 2, columns: 3 }, 1, { low: 0, high: 1 }, SMALL);
    expect(() => make().add(new Float32Array(4))).toThrow('4 values');
    expect(() => make().add(new Float32Array(9))).toThrow('9 values');
    expect(() => make().finish()).toThrow('0 of 2 rows');
    expect(() => new Preprocessor({ rows: 2, columns: 3 }, 2, { low: 0, high: 1 }, SMALL)).toThrow('2 channels');
  });
});

describe('triangleFilter', () => {
  it('has weights that sum to one everywhere', () => {
    for (const [input, output] of [
      [1000, 7],
      [7, 1000],
      [1, 5]
    ] as const) {
      for (const { start, weights } of triangleFilter(input, output)) {
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
        expect(start).toBeGreaterThanOrEqual(0);
        expect(start + weights.length).toBeLessThanOrEqual(input);
      }
    }
  });
});

describe('Preprocessor for prompts', () => {
  const [rows, columns] = [24, 32];
  const grey = (value: (row: number, column: number) => number) => {
    const pixels = Float64Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns));
    const made = new Preprocessor({ rows, columns }, 1, { low: 0, high: 255 }, SMALL, undefined, true);
    made.add(pixels);
    const { mean, std } = SMALL.encoder;
    return Array.from(made.finish().subarray(0, 12 * SIDE), value => value * std[0] + mean[0]); // the image's rows of the frame
  };

  it('stretches a narrow range of greys to all of them', () => {
    const shown = grey((_, column) => 100 + column);
    expect(Math.min(...shown)).toBeLessThan(2);
    expect(Math.max(...shown)).toBeGreaterThan(253);
  });

  it('does not make the noise of a flat image its contrast', () => {
    const values = noise(rows * columns, 5);
    const shown = grey((row, column) => 100 + values[row * columns + column]!);
    expect(Math.max(...shown) - Math.min(...shown)).toBeLessThan(20);
  });

  it('averages noise over more pixels where the image is enlarged, and not where it is not', () => {
    const one = (side: number, forPrompts: boolean) => {
      const pixels = new Float64Array(side * side);
      pixels[(side / 2) * side + side / 2] = 255;
      const made = new Preprocessor(
        { rows: side, columns: side },
        1,
        { low: 0, high: 255 },
        SMALL,
        undefined,
        forPrompts
      );
      made.add(pixels);
      const shown = Array.from(
        made.finish().subarray(0, SIDE * SIDE),
        value => value * SMALL.encoder.std[0] + SMALL.encoder.mean[0]
      );
      return shown.filter(value => value > Math.min(...shown) + 1e-3).length;
    };
    expect(one(8, true)).toBeGreaterThan(4 * one(8, false));
    expect(one(16, true)).toBe(one(16, false));
  });
});
