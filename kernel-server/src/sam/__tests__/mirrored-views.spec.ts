/** Mirror images of the encoder's input, on encoders that the test makes up: what they do at a cell is known. */
import type { EmbeddingViews } from '../../../../src/shared/features';
import type { IPromptModel } from '../../../../src/shared/models';
import { makeFolder, tinyManifest } from '../../__tests__/support/sam-fixture';
import { MirroredViews } from '../mirrored-views';

const folder = makeFolder();
afterAll(() => folder.remove());

describe('MirroredViews', () => {
  const manifest = tinyManifest(folder.path) as IPromptModel;
  const { size } = manifest.encoder;
  const [channels, side] = manifest.encoder.layers.output.shape;
  const cell = size / side;
  /** An image that does not fill its last cells. */
  const frame = { rows: 2 * cell - 3, columns: 3 * cell - 1 };

  /** Pixels that are all different in the image, and 0 beyond it. */
  function pixels(): Float32Array {
    return new Float32Array(3 * size * size).map((_, i) => {
      const [row, column] = [Math.floor(i / size) % size, i % size];
      return row < frame.rows && column < frame.columns ? 1 + ((i * 7919) % 10007) : 0;
    });
  }

  /** The mean of the first plane in each cell, plus what it adds of the cell's place, in each channel. */
  function encode(input: Float32Array, ofPlace: (row: number, column: number) => number): Map<string, Float32Array> {
    const values = new Float32Array(channels * side * side).map((_, i) => {
      const [row, column] = [Math.floor(i / side) % side, i % side];
      let sum = 0;
      for (let y = row * cell; y < (row + 1) * cell; y++) {
        for (let x = column * cell; x < (column + 1) * cell; x++) {
          sum += input[y * size + x]!;
        }
      }
      return sum / cell ** 2 + ofPlace(row, column);
    });
    return new Map([['output', values]]);
  }

  /** The means of the cells that the image fills. */
  function means(views: EmbeddingViews, ofPlace: (row: number, column: number) => number): number[] {
    const all = new MirroredViews(views, frame, manifest);
    for (let view = 0; view < views; view++) {
      all.add(encode(all.input(pixels(), view), ofPlace), view);
    }
    const output = all.mean().get('output')!;
    return [0, 1].flatMap(row => [0, 1, 2].map(column => output[row * side + column]!));
  }

  const plain = means(1, () => 0);

  it.each([1, 2, 4] as const)('gives what the encoder makes of each cell, from %d views', views => {
    means(views, () => 0).forEach((mean, i) => expect(mean).toBeCloseTo(plain[i]!, 1));
  });

  it('takes away what tells of the place', () => {
    const place = (row: number, column: number) => 100 * row + 7 * column;
    const added = (views: EmbeddingViews) => means(views, place).map((mean, i) => mean - plain[i]!);
    expect(added(1).map(Math.round)).toEqual([0, 7, 14, 100, 107, 114]);
    // The middle of the place's part, for every cell.
    added(2).forEach(rest => expect(rest).toBeCloseTo(57, 1));
    added(4).forEach(rest => expect(rest).toBeCloseTo(57, 1));
    // A part that is the same at opposite places needs all four.
    const opposite = (row: number, column: number) => 100 * Number((row === 0) === column < 1);
    const uneven = (views: EmbeddingViews) => {
      const rest = means(views, opposite).map((mean, i) => mean - plain[i]!);
      return Math.max(...rest) - Math.min(...rest);
    };
    expect(uneven(2)).toBeGreaterThan(uneven(4));
  });

  it('shows the encoder a view of its own each time, of the same pixels', () => {
    const all = new MirroredViews(4, frame, manifest);
    const inputs = [0, 1, 2, 3].map(view => all.input(pixels(), view));
    expect(new Set(inputs.map(input => input.join())).size).toBe(4);
    const sorted = inputs.map(input => [...input].sort((a, b) => a - b).join());
    expect(new Set(sorted).size).toBe(1);
    const isAbove = (i: number) => Math.floor(i / size) % size < 2 * cell;
    inputs.forEach(input => expect(input.every((value, i) => value === 0 || isAbove(i))).toBe(true));
  });
});
