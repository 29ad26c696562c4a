/** Strokes told apart. */
import { StrokeFinder } from '../stroke-finder';

/** Number of each pixel's stroke in drawings, one a slice; 0 where nothing is drawn. */
function strokesOf(...slices: string[][]): number[][][] {
  const finder = new StrokeFinder(Math.max(...slices.flat().map(line => line.length)));
  const taken = slices.map((lines, slice) =>
    lines.map((line, row) =>
      [...line].map((sign, column) => (sign === '.' ? 0 : finder.take(sign.charCodeAt(0), slice, row, column)))
    )
  );
  return taken.map(lines => lines.map(line => line.map(number => number && finder.strokeOf(number))));
}

const different = (numbers: number[]) => new Set(numbers.filter(number => number > 0)).size;

describe('Strokes', () => {
  it('are connected pixels, diagonals included, also if a later row joins two parts', () => {
    const [drawing] = strokesOf(['a...a.a', 'a...a..', '.aaa..a', '......a']);
    expect(different(drawing!.flat())).toBe(3);
    expect(drawing![0]![0]).toBe(drawing![0]![4]);
    expect(drawing![0]![0]).not.toBe(drawing![0]![6]);
  });

  it('stay separate where classes touch or cross', () => {
    const [drawing] = strokesOf(['aabb', 'bbaa']);
    expect(different(drawing!.flat())).toBe(2);
    const [crossed] = strokesOf(['aa', 'bb', 'aa']);
    expect(different(crossed!.flat())).toBe(3);
  });

  it('do not continue around an edge, across an empty row, or into the next slice', () => {
    expect(different(strokesOf(['..a', 'a..'])[0]!.flat())).toBe(2);
    expect(different(strokesOf(['a', '.', 'a'])[0]!.flat())).toBe(2);
    expect(different(strokesOf(['.', 'a'], ['a', '.'], ['a', '.']).flat(2))).toBe(3);
  });

  it('equal the components of a flood fill on a random drawing', () => {
    const [rows, columns] = [40, 53];
    const lines = Array.from({ length: rows }, (_, r) =>
      Array.from(
        { length: columns },
        (__, c) => '..abb'[(r * 7919 + c * 104729 + r * c * 31 + ((r * c) >> 2)) % 5]!
      ).join('')
    );
    const flooded = lines.map(() => new Array<number>(columns).fill(0));
    let count = 0;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        if (lines[r]![c] === '.' || flooded[r]![c]) {
          continue;
        }
        const queue = [[r, c]];
        flooded[r]![c] = ++count;
        for (const [y, x] of queue as [number, number][]) {
          for (const [ny, nx] of [-1, 0, 1].flatMap(dy => [-1, 0, 1].map(dx => [y + dy, x + dx] as const))) {
            if (lines[ny]?.[nx] === lines[r]![c] && !flooded[ny]![nx]) {
              flooded[ny]![nx] = count;
              queue.push([ny, nx]);
            }
          }
        }
      }
    }
    const [found] = strokesOf(lines);
    const pairs = new Set(found!.flat().map((number, i) => `${number} ${flooded.flat()[i]}`));
    expect(different(found!.flat())).toBe(count);
    expect(pairs.size).toBe(count + 1);
  });
});
