import { coverage, frameSize, ISize, upscaleMask, upscaleMaskRegion } from '..';
import { MOBILE_SAM } from '../../shared/models/mobile-sam';

const SIDE = MOBILE_SAM.decoder.maskSize;

/** Smooth logits with many zero crossings. */
function waves(): Float32Array {
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [row, column] = [Math.floor(i / SIDE), i % SIDE];
    return Math.sin(row / 5 + column / 17) + 0.7 * Math.cos(column / 3 - row / 29) - 0.2;
  });
}

/** One pixel from the definition: the logit at its centre, bilinear between the four next to it. */
function referencePixel(logits: Float32Array, size: ISize, row: number, column: number): number {
  const frame = frameSize(size, 1024);
  const at = (pixel: number, inFrame: number, inImage: number) => {
    const position = (((pixel + 0.5) * inFrame) / inImage) * (SIDE / 1024) - 0.5;
    const held = Math.min(SIDE - 1, Math.max(0, position));
    return { low: Math.floor(held), high: Math.min(SIDE - 1, Math.floor(held) + 1), t: held - Math.floor(held) };
  };
  const y = at(row, frame.rows, size.rows);
  const x = at(column, frame.columns, size.columns);
  const value = (r: number, c: number) => logits[r * SIDE + c]!;
  return (
    (1 - y.t) * ((1 - x.t) * value(y.low, x.low) + x.t * value(y.low, x.high)) +
    y.t * ((1 - x.t) * value(y.high, x.low) + x.t * value(y.high, x.high))
  );
}

describe('upscaleMask', () => {
  it.each([
    { rows: 300, columns: 411 },
    { rows: 90, columns: 40 },
    { rows: 1500, columns: 700 },
    { rows: 1, columns: 1 }
  ])('is the sign of the bilinear logit at every pixel centre: $rows × $columns', size => {
    const logits = waves();
    const mask = upscaleMask(logits, size, MOBILE_SAM);
    let wrong = 0;
    for (let row = 0; row < size.rows; row++) {
      for (let column = 0; column < size.columns; column++) {
        const expected = referencePixel(logits, size, row, column);
        // On the very edge rounding decides.
        if (Math.abs(expected) > 1e-9 && (expected > 0 ? 1 : 0) !== mask[row * size.columns + column]) {
          wrong++;
        }
      }
    }
    expect(wrong).toBe(0);
    expect(mask).toHaveLength(size.rows * size.columns);
  });

  it('does not look at the padding', () => {
    const logits = new Float32Array(SIDE * SIDE).fill(-1);
    for (let row = 0; row < SIDE; row++) {
      logits.fill(1, row * SIDE, row * SIDE + SIDE / 2);
    }
    // The image is half as wide as high, so its frame is the left half: all inside but the last interpolated column.
    const mask = upscaleMask(logits, { rows: 200, columns: 100 }, MOBILE_SAM);
    expect(mask.reduce((sum, value) => sum + value, 0)).toBe(200 * 100);
  });

  it('gives a region the pixels of the whole mask, without making the whole mask', () => {
    const size = { rows: 333, columns: 512 };
    const logits = waves();
    const whole = upscaleMask(logits, size, MOBILE_SAM);
    const region = { row0: 17, row1: 200, column0: 301, column1: 512 };
    const part = upscaleMaskRegion(logits, size, region, MOBILE_SAM);
    const expected = [];
    for (let row = region.row0; row < region.row1; row++) {
      expected.push(...whole.subarray(row * 512 + region.column0, row * 512 + region.column1));
    }
    expect([...part]).toEqual(expected);
    const huge = { rows: 20000, columns: 20000 };
    const view = { row0: 19000, row1: 19010, column0: 5000, column1: 5020 };
    const small = upscaleMaskRegion(logits, huge, view, MOBILE_SAM);
    expect(small).toHaveLength(200);
    expect(small[0]).toBe(referencePixel(logits, huge, 19000, 5000) > 0 ? 1 : 0);
  });

  it('refuses logits of another size and regions outside the image', () => {
    const size = { rows: 10, columns: 10 };
    expect(() => upscaleMask(new Float32Array(9), size, MOBILE_SAM)).toThrow('9 logits');
    const region = { row0: 0, row1: 11, column0: 0, column1: 10 };
    expect(() => upscaleMaskRegion(waves(), size, region, MOBILE_SAM)).toThrow('outside an image of 10 × 10');
  });
});

describe('coverage', () => {
  it('counts within the image alone, not in the padding', () => {
    const side = MOBILE_SAM.decoder.maskSize;
    const lowRes = new Float32Array(side * side).fill(1);
    expect(coverage(lowRes, { rows: 100, columns: 400 }, MOBILE_SAM)).toBe(1);
    lowRes.fill(-1, 0, (side / 8) * side);
    expect(coverage(lowRes, { rows: 100, columns: 400 }, MOBILE_SAM)).toBeCloseTo(0.5, 2);
  });
});
