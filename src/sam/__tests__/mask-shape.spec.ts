import { connectedPart, filled, grown, samplesOf, smoothed, stability } from '..';
import { MOBILE_SAM } from '../../shared/models/mobile-sam';

/** Logits of a drawing: `#` inside, `.` outside; the rest of `side` rows and columns is padding that is inside. */
function draw(lines: string[], side = 12) {
  const samples = { rows: lines.length, columns: lines[0]!.length };
  const logits = new Float32Array(side * side).fill(3);
  lines.forEach((line, row) =>
    [...line].forEach((char, column) => (logits[row * side + column] = char === '#' ? 5 : -5))
  );
  const show = (of: Float32Array) =>
    lines.map((_, row) =>
      [...of.subarray(row * side, row * side + samples.columns)].map(logit => (logit > 0 ? '#' : '.')).join('')
    );
  return { logits, samples, side, show };
}

const PARTS = draw([
  '##...#', //
  '##....',
  '..##..',
  '..##.#',
  '.....#'
]);

it('keeps the parts under the samples, not one that touches a corner, else the largest', () => {
  const { logits, side, samples, show } = PARTS;
  const kept = (...on: { row: number; column: number }[]) => show(connectedPart(logits, side, samples, on));
  expect(kept({ row: 2, column: 2 })).toEqual(['......', '......', '..##..', '..##..', '......']);
  expect(kept({ row: 3, column: 5 }, { row: 0, column: 5 })).toEqual([
    '.....#',
    '......',
    '......',
    '.....#',
    '.....#'
  ]);
  expect(kept({ row: 4, column: 0 })).toEqual(['##....', '##....', '......', '......', '......']);
});

it('fills holes, and leaves what the image’s border opens, whatever is in the padding', () => {
  const { logits, side, samples, show } = draw([
    '.####.', //
    '.#..##',
    '.##.#.',
    '#####.',
    '#.####'
  ]);
  expect(show(filled(logits, side, samples))).toEqual(['.####.', '.#####', '.####.', '#####.', '#.####']);
});

it('smooths a ragged border and keeps the area, also of an object of one sample', () => {
  const { logits, side, samples, show } = draw([
    '..........',
    '..#.#.#...',
    '..#######.',
    '..######..',
    '..######..',
    '..#####.#.',
    '..........'
  ]);
  const area = (lines: string[]) => lines.join('').replaceAll('.', '').length;
  const border = (lines: string[]) =>
    lines.reduce((sum, line, row) => {
      const changes = [...line].map((char, i) => Number(char !== line[i + 1]) + Number(char !== lines[row + 1]?.[i]));
      return sum + changes.reduce((a, b) => a + b, 0);
    }, 0);
  const before = show(logits);
  const after = show(smoothed(logits, side, samples));
  expect(area(after)).toBe(area(before));
  expect(border(after)).toBeLessThan(border(before) - 8);
  const one = draw(['.....', '..#..', '.....']);
  expect(one.show(smoothed(one.logits, one.side, one.samples))).toEqual(['.....', '..#..', '.....']);
});

it('grows and shrinks by discs, and shrinks nothing at the raster’s edge', () => {
  const size = { rows: 5, columns: 7 };
  const of = (text: string) => Uint8Array.from(text.replaceAll(' ', ''), char => Number(char === '#'));
  const dot = of('....... ....... ...#... ....... .......');
  expect(grown(dot, size, 1)).toEqual(of('....... ...#... ..###.. ...#... .......'));
  expect(grown(dot, size, 2)).toEqual(of('...#... ..###.. .#####. ..###.. ...#...'));
  expect(grown(grown(dot, size, 2), size, -1)).toEqual(of('....... ...#... ..###.. ...#... .......'));
  const corner = of('###.... ###.... ###.... ....... .......');
  expect(grown(corner, size, -1)).toEqual(of('##..... ##..... ....... ....... .......'));
  expect(grown(dot, size, 0)).toEqual(dot);
});

it('calls a mask stable if a change of the threshold hardly changes it', () => {
  const size = { rows: 100, columns: 400 };
  const side = MOBILE_SAM.decoder.maskSize;
  expect(samplesOf(size, MOBILE_SAM)).toEqual({ rows: 64, columns: 256 });
  const logits = new Float32Array(side * side).fill(-5);
  logits.fill(5, 0, 3 * side);
  logits.fill(0.5, 3 * side, 4 * side);
  logits.fill(9, 64 * side); // padding
  expect(stability(logits, size, MOBILE_SAM)).toBeCloseTo(3 / 4, 6);
  expect(stability(new Float32Array(side * side).fill(-5), size, MOBILE_SAM)).toBe(0);
});
