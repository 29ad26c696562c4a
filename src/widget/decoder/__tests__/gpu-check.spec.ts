import { DEFAULT_MODEL } from '../../../shared/models';
import { encodePrompts, ICandidates } from '../../../sam';
import { checkPrompts, difference } from '../gpu-check';

/** A disc of logits, and its score. */
function answer(radius: number, score = 0.8, noise = 0): ICandidates {
  const side = 64;
  const disc = (by: number) =>
    new Float32Array(side * side).map((_, i) => {
      const [row, column] = [Math.floor(i / side) - 32, (i % side) - 32];
      return by - Math.hypot(row, column) + noise * Math.sin(7 * i);
    });
  return {
    lowRes: [disc(radius), disc(2 * radius), disc(3 * radius)],
    scores: [score, score, score],
    single: { lowRes: disc(radius), score }
  };
}

describe('the check of masks from the GPU', () => {
  it.each([
    { rows: 3, columns: 2 },
    { rows: 600, columns: 4000 }
  ])('asks prompts of four kinds that SAM takes on %p', size => {
    const prompts = checkPrompts(size);
    expect(prompts.map(({ points, box }) => [points.length, Boolean(box)])).toEqual([
      [1, false],
      [2, false],
      [0, true],
      [3, false]
    ]);
    expect(prompts[3]!.mask).toBeDefined();
    prompts.slice(0, 3).forEach(each => expect(() => encodePrompts(each, size, DEFAULT_MODEL)).not.toThrow());
  });

  it('takes masks that are the same up to rounding, and empty ones', () => {
    expect(difference(answer(8), answer(8, 0.81, 0.02))).toBeNull();
    expect(difference(answer(-9), answer(-9))).toBeNull();
  });

  it('tells what is wrong', () => {
    expect(difference(answer(8), answer(9))).toMatch(/overlap \(IoU\) of 0\.[78]\d/);
    expect(difference(answer(8), answer(-9))).toContain('overlap (IoU) of 0.00');
    expect(difference(answer(-9), answer(8))).toContain('overlap (IoU) of 0.00');
    expect(difference(answer(8), answer(8, 0.7))).toBe('A score of its masks is off by 0.10');
    expect(difference(answer(8), answer(8, NaN))).toContain('off by NaN');
    expect(difference(answer(8), { ...answer(8), single: null })).toBe('It gives 3 masks instead of 4');
  });

  it('takes no mask of NaN, as of shaders in half precision', () => {
    const broken = answer(8);
    broken.lowRes[1]!.fill(NaN);
    expect(difference(answer(8), broken)).toContain('overlap (IoU) of 0.00');
    const empty = answer(-9);
    empty.lowRes[1]!.fill(NaN);
    expect(difference(answer(-9), empty)).toContain('overlap (IoU) of 0.00');
  });
});
