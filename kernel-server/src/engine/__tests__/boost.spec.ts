/** Boosted trees on the service's threads. */
import { decodeClassifier } from '../../../../engine';
import { agreement, CLASSES as classes, context, EngineBench } from '../../__tests__/support/engine';

const bench = new EngineBench();
const { folder } = bench;
const boosting = { trees: undefined, preset: 'boosting', rounds: 30, patience: 5, refine: 0 };

afterAll(async () => bench.dispose());

/** Short strokes, apart from each other, on the truth. */
function strokes(truth: Uint8Array, columns: number): Uint8Array {
  return truth.map((id, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return row % 12 < 2 && column % 14 < 5 ? id : 0;
  });
}

describe('boosting', () => {
  it('separates particles from the matrix, scores itself on held-out strokes, and stops early', async () => {
    const images = bench.micrograph(150, 140);
    const labels = folder.array('uint8', images.shape, strokes(images.truth, 140));
    const service = bench.service();
    const told = context();
    const trained = await bench.train(service, { ...images, labels }, { forest: boosting, context: told });
    const { prediction, probabilities } = await bench.apply(service, trained, images);
    expect(agreement(prediction, images.truth)).toBeGreaterThan(0.95);
    for (let i = 0; i < prediction.length; i++) {
      const [first, second] = [probabilities[2 * i]!, probabilities[2 * i + 1]!];
      expect(Math.abs(first + second - 1)).toBeLessThan(1e-5);
      expect(prediction[i]).toBe(second > first ? 9 : 4);
    }
    expect(trained.oobScore).toBeNull();
    expect(trained.trees).toBeLessThanOrEqual(30);
    const { source, confusion } = trained.scores!;
    expect(source).toBe('held-out');
    const total = confusion.flat().reduce((sum, n) => sum + n, 0);
    expect(total).toBeGreaterThan(trained.samples * 0.1);
    expect(total).toBeLessThan(trained.samples * 0.3);
    expect((confusion[0]![0]! + confusion[1]![1]!) / total).toBeGreaterThan(0.9);
    expect(trained.importance!.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9);
    const growing = told.said.filter(([stage]) => stage === 'growing trees');
    expect(growing.at(-1)![1]).toBe(growing.at(-1)![2]);
    const { info } = service.describe(trained.json);
    expect(info).toMatchObject({ scores: trained.scores, forest: { kind: 'boosting', patience: 5 } });
    expect(service.convert(trained.json, 'json')).toEqual(new Uint8Array(trained.json));
  });

  it('gives the same classifier on one thread and on three', async () => {
    const images = bench.micrograph(90, 100);
    const labels = folder.array('uint8', images.shape, strokes(images.truth, 100));
    const grow = async (threads: number) =>
      Buffer.from((await bench.train(bench.service({ threads }), { ...images, labels }, { forest: boosting })).json);
    expect((await grow(1)).equals(await grow(3))).toBe(true);
  });

  it('runs all rounds if there are too few strokes to hold one out', async () => {
    const images = bench.micrograph(60, 60);
    const trained = await bench.train(bench.service(), images, { forest: { ...boosting, rounds: 7, patience: 1 } });
    // The labels are two long rows a class: one connected stroke each.
    const few = folder.array(
      'uint8',
      images.shape,
      images.truth.map((id, i) => (i < 25 * 60 ? id : 0))
    );
    const alone = await bench.train(
      bench.service(),
      { ...images, labels: few },
      { forest: { ...boosting, rounds: 7, patience: 1 } }
    );
    expect(alone.scores).toBeNull();
    expect(alone.trees).toBe(7);
    expect(trained.trees).toBeLessThanOrEqual(7);
  });

  it('stops soon after a cancellation, and the next training gives the right result', async () => {
    const images = bench.micrograph(200, 200);
    const service = bench.service({ threads: 1 });
    const stop = new AbortController();
    const told = context(stop.signal);
    const { progress } = told;
    told.progress = (stage, done, total) => {
      progress(stage, done, total);
      if (stage === 'growing trees' && done >= 2) {
        stop.abort();
      }
    };
    const forest = { ...boosting, rounds: 2000, patience: null };
    await expect(bench.train(service, images, { forest, context: told })).rejects.toMatchObject({ code: 'cancelled' });
    const grown = Math.max(...told.said.filter(([stage]) => stage === 'growing trees').map(([, done]) => done));
    expect(grown).toBeLessThan(2000);
    const { trees } = decodeClassifier((await bench.train(service, images, { forest: boosting })).json);
    expect(trees.counts.length).toBeGreaterThan(0);
    expect(classes).toHaveLength(2);
  });
});
