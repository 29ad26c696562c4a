import { packLogits, packPart, unpackLogits, unpackPart } from '../packed-logits';

describe('packed logits', () => {
  const logits = Float32Array.from({ length: 4_000 }, (_, i) => ((i % 200) - 100) ** 3 / 30_000 + Math.sin(i) / 5);

  it('keep whether a logit is above −1, 0 and 1, and come close to it', () => {
    const [found] = unpackLogits(packLogits([logits]), logits.length);
    const same = (i: number) => [-1, 0, 1].every(level => found![i]! > level === logits[i]! > level);
    expect(logits.findIndex((_, i) => !same(i))).toBe(-1);
    const off = logits.map((logit, i) => {
      const known = Math.min(Math.abs(logit), 30);
      return Math.abs(Math.abs(found![i]!) - known) / (0.004 + known / 31);
    });
    expect(Math.max(...off)).toBeLessThan(1);
  });

  it('keep their masks apart', () => {
    const masks = [Float32Array.of(1.5, -3, 0), Float32Array.of(-0.001, 0.001, 400)];
    const packed = packLogits(masks);
    expect(packed).toHaveLength(6);
    expect(unpackLogits(packed, 3).map(mask => [...mask].map(Math.sign))).toEqual([
      [1, -1, -1],
      [-1, 1, 1]
    ]);
    expect(unpackLogits(packed, 3)[1]![2]).toBeCloseTo(30, 0);
    expect(() => unpackLogits(packed, 4)).toThrow('There are 6 codes; a multiple of 4 will do.');
  });

  it('keep the part around an object', () => {
    const side = 64;
    const mask = Float32Array.from({ length: side * side }, (_, i) => {
      return 6 - Math.hypot(Math.floor(i / side) - 10, (i % side) - 58);
    });
    const part = packPart(mask, side);
    expect(part.samples).toEqual({ row0: 0, row1: 24, column0: 45, column1: 64 });
    const found = unpackPart(part, side);
    expect(found.findIndex((logit, i) => logit > 0 !== mask[i]! > 0)).toBe(-1);
    expect([found[20 * side + 60]! > -5, found[40 * side + 60]]).toEqual([true, -30]);
    expect(packPart(new Float32Array(side * side).fill(-1), side).codes).toHaveLength(0);
    expect(() => unpackPart({ ...part, codes: part.codes.subarray(1) }, side)).toThrow(
      'There are 455 codes for rows 0'
    );
  });
});
