import { AcceptedSizes, chooseScale, maskTraits, traitsOf } from '..';
import { MOBILE_SAM as manifest } from '../../shared/models/mobile-sam';

const SIDE = manifest.decoder.maskSize;
const size = { rows: 512, columns: 512 };
const at = { row: 200, column: 240 };

/** Logits of a square around (100, 120) of the mask, that is (200, 240) of the image. */
function square(side: number, inside = 8): Float32Array {
  const logits = new Float32Array(SIDE * SIDE).fill(-8);
  for (let row = Math.max(0, 100 - side / 2); row < Math.min(SIDE, 100 + side / 2); row++) {
    for (let column = Math.max(0, 120 - side / 2); column < Math.min(SIDE, 120 + side / 2); column++) {
      logits[row * SIDE + column] = inside;
    }
  }
  return logits;
}

const choose = (sides: number[], scores: number[], accepted?: { sizes: AcceptedSizes; classId: number }) =>
  chooseScale({ lowRes: sides.map(side => square(side)), scores, single: null }, { at, size, manifest, accepted });

describe('maskTraits', () => {
  it('gives coverage, stability and the part that is connected with the point', () => {
    const logits = square(20);
    logits.fill(0.5, 0, 100); // 100 samples elsewhere, which are not in the mask of logits above 1
    const { coverage, stability, connected } = maskTraits(logits, at, size, manifest);
    expect(coverage).toBeCloseTo(500 / SIDE ** 2, 10);
    expect(stability).toBeCloseTo(400 / 500, 10);
    expect(connected).toBeCloseTo(400 / 500, 10);
    expect(maskTraits(logits, at, size, manifest).parts).toBe(2);
    expect(maskTraits(logits, { row: 500, column: 500 }, size, manifest).connected).toBe(0);
  });

  it('counts within the image alone, not in the padding, and does not connect a row with the next', () => {
    const logits = new Float32Array(SIDE * SIDE).fill(-8);
    logits.fill(8, 0, SIDE); // the first row; the image is its left half
    logits[SIDE] = 8;
    const half = { rows: 200, columns: 100 };
    expect(maskTraits(logits, { row: 0, column: 99 }, half, manifest)).toEqual({
      coverage: 129 / (SIDE * 128),
      stability: 1,
      connected: 1,
      parts: 1
    });
    const ends = new Float32Array(SIDE * SIDE).fill(-8);
    ends[127] = ends[SIDE] = 8; // the end of a row and the begin of the next
    expect(maskTraits(ends, { row: 0, column: 99 }, half, manifest).connected).toBe(0.5);
  });

  it('gives zeros for an empty mask', () => {
    const empty = new Float32Array(SIDE * SIDE).fill(-8);
    expect(maskTraits(empty, at, size, manifest)).toEqual({ coverage: 0, stability: 0, connected: 0, parts: 0 });
  });
});

describe('chooseScale', () => {
  it('takes what the masks were judged by from the candidates, if it is there', () => {
    const candidates = { lowRes: [20, 30, 40].map(side => square(side)), scores: [0.8, 0.8, 0.8], single: null };
    const judged = traitsOf(candidates.lowRes, at, size, manifest);
    const plain = chooseScale(candidates, { at, size, manifest });
    expect(chooseScale({ ...candidates, traits: judged }, { at, size, manifest })).toEqual(plain);
    const other = judged.map((each, scale) => ({ ...each, stability: scale === 2 ? 1 : 0 }));
    expect(chooseScale({ ...candidates, traits: other }, { at, size, manifest }).scale).toBe(2);
  });

  it('takes the highest score, but a mask in one piece rather than a scattered one', () => {
    expect(choose([10, 20, 40], [0.5, 0.9, 0.7])).toEqual({ scale: 1, isTooLarge: false, isRagged: false });
    const scattered = square(20);
    for (let i = 0; i < 4000; i += 2) {
      scattered[150 * SIDE + i] = 8;
    }
    const candidates = { lowRes: [square(10), scattered, square(40)], scores: [0.8, 0.9, 0.6], single: null };
    expect(chooseScale(candidates, { at, size, manifest }).scale).toBe(0);
  });

  it('never begins with more than a third of the image', () => {
    expect(choose([20, 200, 256], [0.3, 1, 1.1])).toEqual({ scale: 0, isTooLarge: false, isRagged: false });
    expect(choose([256, 190, 250], [1, 1, 1])).toEqual({ scale: 1, isTooLarge: true, isRagged: false });
  });

  it('begins in a window with what is seen whole and is no third of the image, not with what the window cuts', () => {
    const candidates = { lowRes: [20, 180, 256].map(side => square(side)), scores: [0.3, 1, 1.1], single: null };
    const inWindow = (part: number, cut: number[]) =>
      chooseScale(candidates, { at, size, manifest, window: { part, isCut: scale => cut.includes(scale) } });
    expect(inWindow(0.01, [2])).toMatchObject({ scale: 1, isTooLarge: false });
    expect(inWindow(0.01, [])).toMatchObject({ scale: 2, isTooLarge: false });
    expect(inWindow(0.01, [1, 2])).toMatchObject({ scale: 0, isTooLarge: false });
    expect(inWindow(0.8, [2])).toMatchObject({ scale: 0, isTooLarge: false }); // 180² of 256² are 0.49 of it
  });

  it('begins with no mask of many parts whose logits are near 0, but with the next scale, or none', () => {
    const ragged = square(60, 0.4);
    for (let row = 150; row < 200; row += 2) {
      for (let column = 0; column < 100; column += 2) {
        ragged[row * SIDE + column] = 0.3; // single samples
      }
    }
    const among = (lowRes: Float32Array[], scores: number[]) =>
      chooseScale({ lowRes, scores, single: null }, { at, size, manifest });
    expect(among([ragged, square(30), square(256)], [0.9, 0.3, 1])).toEqual({
      scale: 1,
      isTooLarge: false,
      isRagged: false
    });
    expect(among([ragged, square(250), square(256)], [0.4, 1, 1])).toEqual({
      scale: 0,
      isTooLarge: false,
      isRagged: true
    });
    // One part with such logits is an object that SAM is not sure of; many parts of high logits are many objects.
    expect(among([square(60, 0.4), square(250), square(256)], [0.4, 1, 1]).isRagged).toBe(false);
    const many = ragged.map(logit => (logit > 0 ? 8 : logit));
    expect(among([many, square(250), square(256)], [0.4, 1, 1])).toMatchObject({ scale: 0, isRagged: false });
  });

  it('begins with a large mask after the user accepted one as large for the class', () => {
    const sizes = new AcceptedSizes();
    sizes.add(2, 0.5 * 512 ** 2);
    expect(choose([20, 200, 256], [0.3, 1, 0.5], { sizes, classId: 2 })).toEqual({
      scale: 1,
      isTooLarge: false,
      isRagged: false
    });
    expect(choose([20, 200, 256], [0.3, 1, 0.5], { sizes, classId: 1 }).scale).toBe(0);
  });

  it('prefers sizes that the user accepted for the class, the more the more often', () => {
    const sizes = new AcceptedSizes();
    const pick = (classId: number) => choose([10, 20, 80], [0.5, 0.86, 0.82], { sizes, classId }).scale;
    expect(pick(1)).toBe(1);
    for (let i = 0; i < 6; i++) {
      sizes.add(1, 160 ** 2);
    }
    expect([pick(1), pick(2)]).toEqual([2, 1]);
  });
});

describe('AcceptedSizes', () => {
  it('keeps the last twenty of a class, and comes back from JSON', () => {
    const sizes = new AcceptedSizes();
    for (let area = 1; area <= 30; area++) {
      sizes.add(3, area);
    }
    const again = new AcceptedSizes(JSON.parse(JSON.stringify(sizes)));
    expect(again.toJSON()).toEqual({ 3: Array.from({ length: 20 }, (_, i) => i + 11) });
    expect(again.cost(3, 500)).toBe(sizes.cost(3, 500));
  });

  it('ignores what has another form', () => {
    const sizes = new AcceptedSizes({ 1: [5, 'large', null, -3], two: [7], 4: 9 });
    expect(sizes.toJSON()).toEqual({ 1: [5] });
    expect(new AcceptedSizes('no').toJSON()).toEqual({});
  });
});
