/** Masks whose border is moved to the edges of an image: a bright disc in noise, and a mask that is a coarse disc beside it. */
import { refinedMask, refinementMargin } from '../edge-refinement';

const [ROWS, COLUMNS] = [160, 200];
const RECT = { row0: 30, row1: 30 + ROWS, column0: 50, column1: 50 + COLUMNS };
/** Pixels a sample of the mask. */
const STEP = 4;
const distance = (i: number, row: number, column: number) =>
  Math.hypot(Math.floor(i / COLUMNS) - row, (i % COLUMNS) - column);
const each = (make: (i: number) => number) => Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => make(i));
const isInDisc = (i: number) => distance(i, 80, 100) < 40;

/** The disc in greys of some contrast, with noise from a fixed sequence. */
function disc(ground: number, object: number, noise: number): Float32Array {
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647 - 0.5;
  return each(i => (isInDisc(i) ? object : ground) + noise * (random() + random() + random()));
}
/** Too far up and too large by two pixels each. */
const logits = each(i => (42 - distance(i, 78, 100)) / STEP);
const wrong = (mask: Uint8Array) => mask.reduce((sum, inside, i) => sum + (inside !== Number(isInDisc(i)) ? 1 : 0), 0);
const before = wrong(Uint8Array.from(logits, logit => (logit > 0 ? 1 : 0)));

it.each([
  ['bright', 80, 160, 20],
  ['dark', 160, 80, 20],
  ['of 16 bits', 20000, 40000, 5000],
  ['small numbers', 0.001, 0.002, 0.0002]
])('has the border of an object that is %s', (_, ground, object, noise) => {
  const mask = refinedMask(logits, { rect: RECT, values: disc(ground, object, noise) }, STEP);
  expect(before).toBeGreaterThan(500);
  expect(wrong(mask)).toBeLessThan(before / 4);
});

it('stays where the image has no edge, and far from the border of the mask', () => {
  const flat = refinedMask(logits, { rect: RECT, values: each(() => 7) }, STEP);
  expect(wrong(flat)).toBeGreaterThan(before * 0.8);
  // A bright spot inside and one outside, both far from the border.
  const values = disc(80, 160, 0).map((value, i) =>
    distance(i, 80, 100) < 6 || distance(i, 20, 20) < 6 ? 240 - value : value
  );
  const mask = refinedMask(logits, { rect: RECT, values }, STEP);
  expect([mask[80 * COLUMNS + 100], mask[20 * COLUMNS + 20]]).toEqual([1, 0]);
  expect(refinementMargin(STEP)).toBe(22);
});

it('refuses greys of another size', () => {
  expect(() => refinedMask(logits, { rect: RECT, values: new Float32Array(5) }, STEP)).toThrow(
    'A rectangle of 32000 pixels has 32000 logits and 5 greys.'
  );
});
