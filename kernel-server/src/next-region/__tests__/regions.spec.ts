/** Uncertainty as an overlay and where to label next, by the real engine, on images whose most uncertain place is known. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { BridgeError } from '../../../../src/shared/errors';
import { ImageInfo, SessionState, SuggestedRegion } from '../../../../src/shared/protocol';
import { TestClient } from '../../__tests__/support/client';
import { EngineBench } from '../../__tests__/support/engine';
import { Home } from '../../__tests__/support/home';
import { CLASSES, inflateTile, rectangle } from '../../__tests__/support/images';

const ROWS = 300;
const COLUMNS = 420;
/** A square that mixes the two phases, in the last slice. */
const PATCH = { row0: 180, row1: 260, column0: 60, column1: 140 };

const bench = new EngineBench();
let home: Home<ReturnType<EngineBench['service']>>;
let client: TestClient;

beforeAll(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  home = await new Home(bench.service()).start();
});

beforeEach(async () => {
  client = await home.connect();
});

afterEach(() => client.close());

afterAll(async () => {
  await home.dispose();
  await bench.dispose();
  jest.restoreAllMocks();
});

/** A dark and a bright half with some noise, and in the last slice a square in which every pixel is one or the other. */
function twoPhases(slices: number): { info: ImageInfo; pixels: Uint8Array } {
  let state = 7;
  const random = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) / 2 ** 24;
  const shape: ImageInfo['shape'] = [slices, ROWS, COLUMNS, 1];
  const pixels = Uint8Array.from({ length: slices * ROWS * COLUMNS }, (_, i) => {
    const [row, column] = [Math.floor(i / COLUMNS) % ROWS, i % COLUMNS];
    const mixed = i >= (slices - 1) * ROWS * COLUMNS && inside(PATCH, row, column);
    const bright = mixed ? random() < 0.5 : column >= COLUMNS / 2;
    return (bright ? 170 : 70) + 20 * random();
  });
  const digest = createHash('sha256').update(`${shape}`).update(pixels).digest('hex');
  return { info: { shape, dtype: 'uint8', digest, display: { low: 0, high: 255 } }, pixels };
}

type Block = typeof PATCH;
const inside = ({ row0, row1, column0, column1 }: Block, row: number, column: number) =>
  row >= row0 && row < row1 && column >= column0 && column < column1;
const isWithin = (region: Block, block: Block) =>
  region.row0 >= block.row0 &&
  region.row1 <= block.row1 &&
  region.column0 >= block.column0 &&
  region.column1 <= block.column1;
const overlap = (a: SuggestedRegion, b: SuggestedRegion) =>
  a.slice === b.slice && a.row0 < b.row1 && b.row0 < a.row1 && a.column0 < b.column1 && b.column0 < a.column1;

async function open(key: string, slices = 1): Promise<SessionState> {
  const { info, pixels } = twoPhases(slices);
  const params = { key, title: key, image: info, classes: CLASSES, keepClasses: false, fresh: false };
  const opened = await client.request('session.open', params);
  writeFileSync(opened.arrays['image']!.path, pixels, { flag: 'r+' });
  return client.request('image.ready', { session: opened.session });
}

/** A stroke of each phase near the upper edge, and a classifier: SAMBA's, if nothing else is said. */
async function train(
  session: string,
  features: object = {},
  forest: object = { preset: 'samba', trees: 40 }
): Promise<SessionState> {
  for (const [id, tile, columns] of [
    [1, [0, 0], [20, 80]],
    [2, [0, 1], [40, 100]]
  ] as [number, [number, number], [number, number]][]) {
    const { patch, buffers } = rectangle(session, id, { tile, rows: [10, 30], columns });
    await client.request('labels.patch', patch, { buffers });
  }
  return client.request('train', {
    session,
    forest,
    features: { set: 'samba', sigmas: [1, 2], membrane: false, ...features }
  });
}

describe('The most uncertain regions', () => {
  it('lie where an image of two phases mixes them, in any slice', async () => {
    const { session } = await open('stack', 3);
    await train(session);
    for (const measure of ['margin', 'maximum'] as const) {
      const { by, regions } = await client.request('regions', { session, count: 3, by: 'auto', measure });
      expect(by).toBe('uncertainty');
      expect(regions).toHaveLength(3);
      expect(regions[0]).toMatchObject({ slice: 2, reason: 'uncertain' });
      expect(isWithin(regions[0]!, PATCH)).toBe(true);
      const { row0, row1, column0, column1 } = regions[0]!;
      expect([row1 - row0, column1 - column0]).toEqual([32, 32]);
      expect(regions.map(({ score }) => score)).toEqual(regions.map(({ score }) => score).sort((a, b) => b - a));
    }
    const elsewhere = await client.request('regions', { session, count: 3, by: 'auto', slices: [1, 0] });
    expect(elsewhere.regions.map(({ slice }) => slice)).not.toContain(2);
    expect(elsewhere.regions[0]!.score).toBeLessThan(0.5);
  });

  it('do not overlap, contain no label, and are scored by the mean uncertainty of their pixels', async () => {
    const { session } = await open('next');
    await train(session);
    const ask = async (count: number) =>
      (await client.request('regions', { session, count, by: 'uncertainty' })).regions;
    const [first] = await ask(1);
    const { patch, buffers } = rectangle(session, 1, {
      tile: [Math.floor((first!.row0 + 5) / 256), 0],
      rows: [(first!.row0 + 5) % 256, ((first!.row0 + 5) % 256) + 1],
      columns: [first!.column0 + 5, first!.column0 + 6]
    });
    await client.request('labels.patch', patch, { buffers });
    const apply = jest.spyOn(home.engine, 'apply');
    const regions = await ask(1000);
    expect(apply).not.toHaveBeenCalled(); // the classifier is the same
    apply.mockRestore();
    expect(regions.length).toBeGreaterThan(40);
    const { arrays } = await client.request('segment', { session, arrays: ['uncertainty'] });
    const uncertainty = new Float32Array(new Uint8Array(readFileSync(arrays['uncertainty']!.path)).buffer);
    const labels = readFileSync(arrays['labels']!.path);
    regions.forEach((region, i) => {
      let [sum, drawn] = [0, 0];
      for (let row = region.row0; row < region.row1; row++) {
        for (let column = region.column0; column < region.column1; column++) {
          sum += uncertainty[row * COLUMNS + column]!;
          drawn += Number(labels[row * COLUMNS + column]! > 0);
        }
      }
      expect(region.score).toBeCloseTo(sum / 1024, 6);
      expect(drawn).toBe(0);
      expect(regions.slice(0, i).some(other => overlap(other, region))).toBe(false);
    });
    // Now that the array is there it is read, with the same result.
    expect((await ask(1000)).map(({ row0, column0 }) => [row0, column0])).toEqual(
      regions.map(({ row0, column0 }) => [row0, column0])
    );
  });

  it('need a classifier, an existing slice, and a valid side', async () => {
    const { session } = await open('refused');
    const ask = (more: object) => client.request('regions', { session, count: 1, by: 'uncertainty', ...more });
    await expect(ask({})).rejects.toMatchObject({ code: 'not-ready' });
    await expect(ask({ slices: [0, 4] })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/Slice 4 .* 1/)
    });
    await expect(ask({ side: 5 })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/side: .*>=8/)
    });
  });

  it('report progress, and stop when the request is cancelled', async () => {
    const { session } = await open('stopped', 4);
    await train(session);
    const asked = client.request('regions', { session, count: 1, by: 'auto', measure: 'maximum' }, { id: 'asked' });
    const job = (state: string) =>
      client.hear(
        ({ event, params }) =>
          event === 'job' &&
          (params as { job: string }).job === 'asked' &&
          (params as { state: string }).state === state
      );
    expect((await job('running')).params).toMatchObject({ kind: 'regions' });
    await client.request('cancel', { id: 'asked' });
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    await job('cancelled');
    const again = await client.request('regions', { session, count: 1, by: 'auto', measure: 'maximum' });
    expect(again.regions[0]).toMatchObject({ slice: 3 });
  });
});

describe('Uncertainty as tiles', () => {
  it.each([
    ['that sees filters alone', false, {}, undefined],
    ['that sees an embedding too', true, { embedding: true }, undefined],
    ['of the default set and learner', true, { set: 'sam' }, {}]
  ])(
    'is what the arrays have, as bytes, by both measures, of a classifier %s',
    async (name, seen, features, forest) => {
      const { session } = await open(`tiles ${name}`, 2);
      const trained = await train(session, features, forest);
      expect(trained.segmentation!.classifier.features.some(feature => feature.startsWith('SAM'))).toBe(seen);
      expect(trained.segmentation!.classifier.forest!.refine).toBe(forest && 6);
      const tiles = [
        { row: 1, column: 1 },
        { row: 0, column: 0 },
        { row: 1, column: 0 }
      ];
      const asked = async () => {
        const both: Buffer[][] = [];
        for (const measure of ['margin', 'maximum'] as const) {
          const answer = await client.request('uncertainty.tiles', { session, slice: 1, measure, tiles });
          expect(answer).toMatchObject({ version: 1, low: 0, high: 1 });
          both.push(answer.buffers.map(buffer => Buffer.from(inflateTile(buffer))));
        }
        return both;
      };
      const alike = (a: Buffer[][], b: Buffer[][]) => Buffer.concat(a.flat()).equals(Buffer.concat(b.flat()));
      const computed = await asked();
      const apply = jest.spyOn(home.engine, 'apply');
      expect(alike(await asked(), computed)).toBe(true);
      expect(apply).not.toHaveBeenCalled();
      apply.mockRestore();
      const { arrays } = await client.request('segment', { session, arrays: ['uncertainty', 'probabilities'] });
      const values = (name: string) => new Float32Array(new Uint8Array(readFileSync(arrays[name]!.path)).buffer);
      const [margin, probabilities] = [values('uncertainty'), values('probabilities')];
      for (const [m, list] of computed.entries()) {
        for (const [i, { row, column }] of tiles.entries()) {
          const expected = Uint8Array.from({ length: 256 * 256 }, (_, at) => {
            const [y, x] = [row * 256 + Math.floor(at / 256), column * 256 + (at % 256)];
            const pixel = (ROWS + y) * COLUMNS + x;
            const value =
              m === 0 ? margin[pixel]! : 1 - Math.max(probabilities[2 * pixel]!, probabilities[2 * pixel + 1]!);
            return y < ROWS && x < COLUMNS ? Math.round(255 * value) : 0;
          });
          expect(list[i]!.equals(expected)).toBe(true);
        }
      }
      expect(alike(await asked(), computed)).toBe(true); // from the arrays
    }
  );

  it('comes with the probability of each class, as bytes, computed for the tiles or read from the array', async () => {
    const { session } = await open('probability', 2);
    await train(session);
    const tiles = [
      { row: 0, column: 1 },
      { row: 1, column: 0 }
    ];
    const asked = async (id: number) => {
      const { buffers } = await client.request('probability.tiles', { session, slice: 1, class: id, tiles });
      return Buffer.concat(buffers.map(buffer => Buffer.from(inflateTile(buffer))));
    };
    const computed = [await asked(1), await asked(2)];
    const { arrays } = await client.request('segment', { session, arrays: ['probabilities'] });
    const held = new Float32Array(new Uint8Array(readFileSync(arrays['probabilities']!.path)).buffer);
    for (const index of [0, 1]) {
      const expected = tiles.map(({ row, column }) =>
        Uint8Array.from({ length: 256 * 256 }, (_, at) => {
          const [y, x] = [row * 256 + Math.floor(at / 256), column * 256 + (at % 256)];
          return y < ROWS && x < COLUMNS ? Math.round(255 * held[2 * ((ROWS + y) * COLUMNS + x) + index]!) : 0;
        })
      );
      expect(computed[index]!.equals(Buffer.concat(expected))).toBe(true);
      expect((await asked(index + 1)).equals(computed[index]!)).toBe(true); // from the array
    }
    await expect(asked(3)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/does not know class 3; its classes are 1, 2/)
    });
  });

  it('follows the classifier, and refuses invalid requests', async () => {
    const { session } = await open('new');
    const ask = (tiles: { row: number; column: number }[], slice = 0) =>
      client.request('uncertainty.tiles', { session, slice, measure: 'margin', tiles });
    await expect(ask([{ row: 0, column: 0 }])).rejects.toMatchObject({ code: 'not-ready' });
    await train(session);
    const { buffers } = await ask([{ row: 0, column: 0 }]);
    await client.request('train', { session, forest: { trees: 1, maxDepth: 1 } });
    const later = await ask([{ row: 0, column: 0 }]);
    expect(later.version).toBe(2);
    expect(Buffer.compare(inflateTile(later.buffers[0]!), inflateTile(buffers[0]!))).not.toBe(0);
    await expect(ask([{ row: 2, column: 0 }])).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/\(2, 0\) .* 2 × 2/)
    });
    await expect(ask([{ row: 0, column: 0 }], 1)).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('Before there is a classifier', () => {
  const failing = () => (home.sam.failure = new BridgeError('model', 'The encoder is missing.'));
  afterEach(() => (home.sam.failure = undefined));

  it('regions come from the embeddings of four slices of a long stack', async () => {
    const { session } = await open('seen', 9);
    const before = home.sam.reduced;
    const { by, regions } = await client.request('regions', { session, count: 12, by: 'auto' });
    expect(by).toBe('embedding');
    expect(regions).toHaveLength(12);
    expect(home.sam.reduced - before).toBe(4);
    const among = new Set(regions.map(({ slice }) => slice));
    expect([1, 3, 5, 7]).toEqual(expect.arrayContaining([...among]));
    await client.request('regions', { session, count: 12, by: 'auto' });
    expect(home.sam.reduced - before).toBe(4);
    const named = await client.request('regions', { session, count: 3, by: 'embedding', slices: [8] });
    expect(named.regions.map(({ slice }) => slice)).toEqual([8, 8, 8]);
  });

  it('regions represent the phases or are unusual; without SAM too, with a note', async () => {
    failing();
    const { session } = await open('first', 2);
    const ask = () => client.request('regions', { session, count: 8, by: 'auto' });
    const { by, regions } = await ask();
    expect(by).toBe('embedding');
    expect(regions.map(({ reason }) => reason)).toEqual(
      Array.from({ length: 8 }, (_, i) => (i % 2 ? 'unusual' : 'representative'))
    );
    const typical = regions.filter(({ reason }) => reason === 'representative').slice(0, 2);
    const sides = typical.map(({ column0 }) => column0 < COLUMNS / 2);
    expect(sides.sort()).toEqual([false, true]);
    typical.forEach(({ score }) => expect(score).toBeGreaterThan(0.1));
    expect(regions.some((region, i) => regions.slice(0, i).some(other => overlap(other, region)))).toBe(false);
    expect((await ask()).regions).toEqual(regions);
    const told = await client.hear(
      ({ event, params }) =>
        event === 'job' && /is not available \(The encoder is missing\); /.test((params as { message: string }).message)
    );
    expect(told.params).toMatchObject({ kind: 'regions', session });
  });

  it('the most unusual region is the only patch of its kind', async () => {
    failing();
    const { session } = await open('odd');
    const { regions } = await client.request('regions', { session, count: 2, by: 'embedding' });
    const [, odd] = regions;
    expect(odd!.reason).toBe('unusual');
    const near = {
      row0: PATCH.row0 - 16,
      row1: PATCH.row1 + 16,
      column0: PATCH.column0 - 16,
      column1: PATCH.column1 + 16
    };
    expect(isWithin(odd!, near)).toBe(true);
  });
});
