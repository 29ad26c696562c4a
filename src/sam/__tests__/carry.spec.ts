/** Objects from slice to slice: when one counts as the same, why it ends, and how the window follows it. */
import { MOBILE_SAM } from '../../shared/models/mobile-sam';
import { carried, followed, ICandidates, IPrompts, maskBounds, maskPrompts } from '..';
import { discLogits, IDisc, SIZE } from './support/discs';

const disc: IDisc = { row: 300, column: 400, radius: 60 };
const moved: IDisc = { row: 310, column: 395, radius: 64 };
const far: IDisc = { row: 300, column: 520, radius: 60 };

const answer = (small: IDisc, score = 0.9): ICandidates => ({
  lowRes: [discLogits(small), discLogits(far), discLogits(null)],
  scores: [score, 0.9, 0.9],
  single: null
});
const carry = (decode: (prompts: IPrompts) => ICandidates) =>
  carried(discLogits(disc), SIZE, MOBILE_SAM, async prompts => decode(prompts));

describe('carried', () => {
  it('takes the mask that is most like the one before, if a point alone gives it too', async () => {
    const asked: IPrompts[] = [];
    const found = await carry(prompts => (asked.push(prompts), answer(moved)));
    expect(found).toEqual({ lowRes: discLogits(moved), score: 0.9 });
    const [first, second] = asked;
    expect(first!.points).toEqual([{ row: expect.closeTo(300, -1), column: expect.closeTo(400, -1), label: 1 }]);
    expect(first!.mask).toBe(discLogits(disc));
    expect(second).toEqual({ points: first!.points });
  });

  it('says why the object ends', async () => {
    expect(await carry(() => answer(far))).toEqual({ lost: 'changed' });
    expect(await carry(() => answer(moved, 0.4))).toEqual({ lost: 'unsure' });
    expect(await carry(({ box }) => (box ? answer(moved) : answer(far)))).toEqual({ lost: 'unseen' });
  });
});

it('maskPrompts gives a point deep inside and a box around', () => {
  const { points, box } = maskPrompts(discLogits(disc), SIZE, MOBILE_SAM)!;
  expect(Math.hypot(points[0]!.row - disc.row, points[0]!.column - disc.column)).toBeLessThan(8);
  expect(box!.row0).toBeGreaterThan(230);
  expect(box!.row0).toBeLessThanOrEqual(240);
  expect(box!.column1).toBeGreaterThanOrEqual(460);
  expect(maskPrompts(new Float32Array(256 ** 2).fill(-1), SIZE, MOBILE_SAM)).toBeNull();
});

describe('followed', () => {
  const seen = { row0: 1000, row1: 2024, column0: 500, column1: 1524 };
  const all = { row0: 0, row1: 4000, column0: 500, column1: 3000 };

  it('keeps the window while the object is inside', () => {
    const mask = discLogits(disc);
    expect(followed({ lowRes: mask, seen }, all, MOBILE_SAM)).toEqual({ lowRes: mask, seen });
  });

  it('moves the window around an object at its edge, as far as there is image, and the mask stays in place', () => {
    const mask = discLogits({ row: 1000, column: 300, radius: 60 });
    const after = followed({ lowRes: mask, seen }, all, MOBILE_SAM);
    expect(after.seen.row0).toBeGreaterThan(1400);
    expect([after.seen.column0, after.seen.row1 - after.seen.row0]).toEqual([500, 1024]);
    const [one, other] = [mask, after.lowRes].map(each => maskBounds(each, SIZE, MOBILE_SAM));
    expect(other!.row0 + after.seen.row0).toBe(one!.row0 + seen.row0);
    expect(other!.column1).toBe(one!.column1);
    // Not at the edge of all that SAM sees.
    const left = { lowRes: discLogits({ row: 500, column: 30, radius: 60 }), seen };
    expect(followed(left, all, MOBILE_SAM)).toBe(left);
  });
});
