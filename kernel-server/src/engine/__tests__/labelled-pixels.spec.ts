/** Which labelled pixels are trained on. */
import { drawLabels } from '../labelled-pixels';
import { CLASSES as classes } from '../../__tests__/support/engine';
import { EngineFolder } from '../../__tests__/support/engine-build';

const folder = new EngineFolder();
const { signal } = new AbortController();

afterAll(() => folder.dispose());

describe('The training pixels', () => {
  it.each([
    ['a few, in rows of an odd length', [3, 37, 41], 500],
    ['more than are remembered from counting', [2, 700, 901], 900]
  ])('are drawn evenly from the classes, each once, with its place and class: %s', async (_, shape, most) => {
    const [, rows, columns] = shape as [number, number, number];
    const ids = Uint8Array.from({ length: shape.reduce((product, n) => product * n, 1) }, (__, i) =>
      most > 500 || i % 7 < 3 ? (i % 3 === 0 ? 9 : 4) : 0
    );
    const labels = folder.array('uint8', shape, ids);
    const pixels = await drawLabels([labels], classes, most, signal);
    expect(pixels.classOf).toHaveLength(most);
    expect(pixels.classOf.filter(c => c === 1)).toHaveLength(most / 2);
    let before = -1;
    pixels.classOf.forEach((c, i) => {
      const at = (pixels.slice[i]! * rows + pixels.row[i]!) * columns + pixels.column[i]!;
      expect(at).toBeGreaterThan(before);
      expect(ids[at]).toBe(classes[c]!.id);
      before = at;
    });
    expect(pixels.slice.at(-1)).toBe(shape[0]! - 1);
  });

  it('include every labelled pixel if there is no limit, also at the ends of rows and of the array', async () => {
    const ids = new Uint8Array(5 * 7);
    [0, 6, 7, 33, 34].forEach((at, i) => (ids[at] = i % 2 ? 4 : 9));
    const pixels = await drawLabels([folder.array('uint8', [1, 5, 7], ids)], classes, null, signal);
    expect(Array.from(pixels.row, (row, i) => row * 7 + pixels.column[i]!)).toEqual([0, 6, 7, 33, 34]);
    expect(Array.from(pixels.classOf)).toEqual([1, 0, 1, 0, 1]);
  });
});
