import { IReply } from '../../../kernel-bridge';
import { LABEL_TILE } from '../../../shared';
import { deflateRawSync } from 'node:zlib';
import { ITileRef } from '../../base/geometry';
import { Signal } from '@lumino/signaling';
import { FakeLink } from '../../base/__tests__/fake-link';
import { IStored } from '../../labels/label-store';
import { LabelTiles } from '../../labels/label-tiles';
import { SegmentationTiles } from '../segmentation-tiles';

const A = { row: 0, column: 0 };
const B = { row: 0, column: 1 };
const tick = () => new Promise(resolve => setTimeout(resolve, 0));

function make(options: { labels?: LabelTiles; bytesMax?: number } = {}) {
  const asked: {
    slice: number;
    tiles: ITileRef[];
    resolve(reply: IReply<'overlay.tiles'>): void;
    reject(error: Error): void;
  }[] = [];
  const link = new FakeLink(
    (_, { slice, tiles }: { slice: number; tiles: ITileRef[] }) =>
      new Promise((resolve, reject) => asked.push({ slice, tiles, resolve, reject }))
  );
  const image = { rows: 300, columns: 700 };
  const { labels = new LabelTiles(image), ...rest } = options;
  const stored = new Signal<never, IStored>({} as never);
  const segmentation = new SegmentationTiles({
    image,
    slices: 2,
    link,
    labels: { slice: () => labels, stored, crossed: new Signal<never, number>({} as never) },
    ...rest
  });
  segmentation.settle(1);
  const failed: string[] = [];
  segmentation.failed.connect((_, { message }) => failed.push(message));
  /** Answer the last request: every pixel of the tiles has this class. */
  const answer = async (classId: number, version = 1) => {
    const { tiles, resolve } = asked[asked.length - 1]!;
    const bytes = new Uint8Array(deflateRawSync(new Uint8Array(LABEL_TILE ** 2).fill(classId)));
    resolve({ result: { version, tiles }, buffers: tiles.map(() => bytes) });
    await tick();
  };
  /** A live round brings tiles of one class. */
  const bring = (round: number, classId: number, tiles: ITileRef[], labelsVersion = round) =>
    link.tell(
      'segmentation.tiles',
      { session: 'a', round, labelsVersion, slice: 0, tiles },
      filled(classId, tiles.length)
    );
  return { segmentation, link, stored, asked, answer, bring, failed };
}

function filled(classId: number, tiles: number): Uint8Array[] {
  const bytes = new Uint8Array(deflateRawSync(new Uint8Array(LABEL_TILE ** 2).fill(classId)));
  return Array.from({ length: tiles }, () => bytes);
}

describe('SegmentationTiles', () => {
  it('fetches each tile in view once', async () => {
    const { segmentation, asked, answer } = make();
    segmentation.want(0, [A, B]);
    await answer(1);
    segmentation.want(0, [A, B]);
    expect(asked).toHaveLength(1);
    expect(segmentation.at(0, 3, LABEL_TILE + 3)).toBe(1);
  });

  it('fetches the same tiles of the slices that come next after those in view', async () => {
    const { segmentation, asked, answer } = make();
    segmentation.want(0, [A], [1]);
    expect(segmentation.settled).toBe(false);
    await answer(1);
    expect(segmentation.settled).toBe(true);
    await answer(2);
    expect(asked.map(({ slice, tiles }) => [slice, tiles])).toEqual([
      [0, [A]],
      [1, [A]]
    ]);
    expect(segmentation.at(1, 3, 3)).toBe(2);
    segmentation.want(1, [A], []);
    expect(asked).toHaveLength(2);
  });

  it('fetches a tile again whose labels were erased, and shows the old one until then', async () => {
    const { segmentation, asked, answer } = make();
    segmentation.want(0, [A, B]);
    await answer(1);
    segmentation.stale(0, [B], 1);
    segmentation.want(0, [A, B]);
    expect(asked[1]!.tiles).toEqual([B]);
    expect(segmentation.at(0, 3, LABEL_TILE + 3)).toBe(1);
    await answer(2);
    expect(segmentation.at(0, 3, LABEL_TILE + 3)).toBe(2);
    segmentation.want(0, [A, B]);
    expect(asked).toHaveLength(2);
  });

  it('fetches every tile again after the labels were replaced as a whole', async () => {
    const { segmentation, asked, answer } = make();
    segmentation.want(0, [A, B]);
    await answer(1);
    segmentation.staleAll(1);
    segmentation.want(0, [A, B]);
    expect(asked[1]!.tiles).toEqual([A, B]);
    await answer(2);
    expect(segmentation.at(0, 3, 3)).toBe(2);
  });

  it.each(['stale', 'staleAll'] as const)('fetches a tile again that changed during its request (%s)', async how => {
    const { segmentation, asked, answer } = make();
    segmentation.want(0, [A]);
    if (how === 'stale') {
      segmentation.stale(0, [A], 1);
    } else {
      segmentation.staleAll(1);
    }
    await answer(1);
    segmentation.want(0, [A]);
    expect(asked).toHaveLength(2);
    await answer(2);
    segmentation.want(0, [A]);
    expect(asked).toHaveLength(2);
    expect(segmentation.at(0, 3, 3)).toBe(2);
  });

  it.each(['answered', 'refused'])(
    'shows nothing of a segmentation that was dropped before its request was %s',
    async how => {
      const { segmentation, asked, answer, failed } = make();
      segmentation.want(0, [A]);
      segmentation.settle(0);
      if (how === 'answered') {
        await answer(1);
      } else {
        asked[0]!.reject(new Error('There is no segmentation.'));
        await tick();
      }
      expect(segmentation.version).toBe(0);
      expect(segmentation.at(0, 3, 3)).toBe(0);
      expect(failed).toEqual([]);
    }
  );

  it('shows the tiles of a live round at once, and requests none of them when the round is complete', async () => {
    const { segmentation, asked, answer, bring } = make();
    segmentation.want(0, [A, B]);
    await answer(1);
    const arrived: string[][] = [];
    segmentation.arrived.connect((_, keys) => arrived.push(keys));
    bring(1, 2, [A]);
    expect(arrived).toEqual([['0/0/0']]);
    expect(segmentation.at(0, 3, 3)).toBe(2);
    expect(segmentation.ahead).toBe(true);
    segmentation.want(0, [A, B]);
    expect(asked).toHaveLength(1);
    segmentation.settle(2, 1);
    expect(segmentation.ahead).toBe(false);
    segmentation.want(0, [A, B]);
    expect(asked.slice(1).map(({ tiles }) => tiles)).toEqual([[B]]); // which the round did not bring
  });

  it('drops tiles of an older round, unless rounds count from 1 again', () => {
    const { segmentation, bring } = make();
    bring(5, 2, [A]);
    bring(4, 1, [A]);
    expect(segmentation.at(0, 3, 3)).toBe(2);
    segmentation.forgetRounds();
    bring(1, 1, [A]);
    expect(segmentation.at(0, 3, 3)).toBe(1);
  });

  it('replaces no live tile by a tile of the array that was requested before', async () => {
    const { segmentation, asked, answer, bring } = make();
    segmentation.want(0, [A, B]);
    bring(1, 2, [A]);
    await answer(1);
    expect(segmentation.at(0, 3, 3)).toBe(2);
    expect(segmentation.at(0, 3, LABEL_TILE + 3)).toBe(1);
    segmentation.stale(0, [B], 5);
    segmentation.want(0, [A, B]);
    bring(2, 2, [B], 6);
    segmentation.settle(2, 2); // complete before the answer of the older version is here
    await answer(1, 1);
    expect(asked[1]!.tiles).toEqual([B]);
    expect(segmentation.at(0, 3, LABEL_TILE + 3)).toBe(2);
  });

  it('fetches all tiles again after a training that was no live round', async () => {
    const { segmentation, asked, answer, bring } = make();
    bring(1, 2, [A, B]);
    segmentation.settle(2, 1);
    bring(2, 2, [A]);
    segmentation.settle(3);
    segmentation.want(0, [A, B]);
    expect(asked[0]!.tiles).toEqual([A, B]);
    await answer(1, 3);
    expect(segmentation.at(0, 3, 3)).toBe(1);
  });

  it('keeps tiles of a newer round than the complete one, and fetches those of an older one', () => {
    const { segmentation, asked, bring } = make();
    bring(1, 1, [A, B]);
    bring(2, 1, [A]);
    bring(3, 2, [B]);
    segmentation.settle(2, 2);
    expect(segmentation.ahead).toBe(true);
    segmentation.settle(3, 3);
    segmentation.want(0, [A, B]);
    expect(asked.map(({ tiles }) => tiles)).toEqual([[A]]);
    expect(segmentation.at(0, 3, LABEL_TILE + 3)).toBe(2);
  });

  it('goes back to the array if a round is never completed, and to nothing without one', async () => {
    const { segmentation, asked, answer, bring } = make();
    bring(1, 2, [A]);
    segmentation.fallBack();
    segmentation.want(0, [A]);
    expect(asked).toHaveLength(1);
    await answer(1);
    expect(segmentation.at(0, 3, 3)).toBe(1);
    const first = make();
    first.segmentation.settle(0);
    first.bring(1, 2, [A]);
    expect(first.segmentation.at(0, 3, 3)).toBe(2);
    first.segmentation.fallBack();
    expect(first.segmentation.at(0, 3, 3)).toBe(0);
  });

  it('fetches live tiles again that are older than erased labels, even if their round is complete', () => {
    const { segmentation, asked, bring } = make();
    segmentation.stale(0, [A], 7);
    bring(1, 2, [A, B], 6);
    segmentation.settle(2, 1);
    segmentation.want(0, [A, B]);
    expect(asked.map(({ tiles }) => tiles)).toEqual([[A]]);
    bring(2, 2, [A, B], 7);
    segmentation.settle(3, 2);
    segmentation.want(0, [A, B]);
    expect(asked).toHaveLength(1);
  });

  it('lays the labels on top of every tile', () => {
    const labels = new LabelTiles({ rows: 300, columns: 700 });
    const { segmentation, bring } = make({ labels });
    labels.paintRun(3, 10, 20, 2, [0]);
    bring(1, 1, [A]);
    expect([9, 10, 19, 20].map(column => segmentation.at(0, 3, column))).toEqual([1, 2, 2, 1]);
    const classes = segmentation.classes(0, A)!;
    expect([9, 10, 19, 20].map(column => classes[3 * LABEL_TILE + column])).toEqual([1, 2, 2, 1]);
    labels.paintRun(3, 10, 20, 0, 'all');
    expect(segmentation.at(0, 3, 10)).toBe(1);
  });

  it('gives the oldest labels that the tiles in view learned from', () => {
    const { segmentation, bring } = make();
    bring(1, 1, [A], 4);
    expect(segmentation.labelsVersion(0, [A, B])).toBe(-1);
    bring(2, 1, [B], 6);
    expect(segmentation.labelsVersion(0, [A, B])).toBe(4);
    bring(2, 1, [A], 6);
    segmentation.settle(2, 2);
    expect(segmentation.labelsVersion(0, [A, B])).toBe(6);
    expect(segmentation.labelsVersion(0, [])).toBe(-1);
  });

  it('copies the bytes, and keeps no more than its limit', () => {
    const message = new Uint8Array(1 << 20);
    const { segmentation, link, bring } = make({ bytesMax: 3 * 300 });
    const [tile] = filled(1, 1);
    message.set(tile!);
    const view = message.subarray(0, tile!.byteLength);
    link.tell('segmentation.tiles', { session: 'a', round: 1, labelsVersion: 1, slice: 0, tiles: [A] }, [view]);
    message.fill(0); // the tile is a copy of its bytes
    expect(segmentation.at(0, 3, 3)).toBe(1);
    for (let round = 2; round < 50; round++) {
      bring(round, 1 + (round % 2), [A, B, { row: 0, column: 2 }, { row: 1, column: 0 }]);
    }
    expect(segmentation.size.tiles).toBe(3);
    expect(segmentation.size.bytes).toBeLessThanOrEqual(900);
  });

  it.each([
    ['a tile outside', [{ row: 2, column: 0 }], 0, 1],
    ['a slice that is not there', [A], 2, 1],
    ['fewer buffers than tiles', [A, B], 0, 1]
  ] as const)('refuses live tiles with %s', (_, tiles, slice, buffers) => {
    const { segmentation, link, failed } = make();
    const event = { session: 'a', round: 1, labelsVersion: 1, slice, tiles: [...tiles] };
    link.tell('segmentation.tiles', event, filled(1, buffers));
    expect(failed).toHaveLength(1);
    expect(segmentation.size.tiles).toBe(0);
  });

  it('reports a tile that cannot be inflated once, and shows nothing of it', () => {
    const { segmentation, link, failed } = make();
    const event = { session: 'a', round: 1, labelsVersion: 1, slice: 0, tiles: [A] };
    link.tell('segmentation.tiles', event, [Uint8Array.of(7, 7, 7)]);
    expect(segmentation.classes(0, A)).toBeUndefined();
    expect(segmentation.classes(0, A)).toBeUndefined();
    expect(failed).toHaveLength(1);
  });
});

describe('The segmentation before', () => {
  const first = (tile: Uint8Array | undefined) => tile?.[0];

  it('is what was shown before the last training, and no older one', async () => {
    const { segmentation, answer } = make();
    segmentation.want(0, [A, B]);
    await answer(1);
    expect(segmentation.before(0, A)).toBeUndefined();
    segmentation.settle(2);
    expect(first(segmentation.before(0, A))).toBe(1); // not fetched yet: it is still the one before
    segmentation.want(0, [A]);
    await answer(2, 2);
    expect([segmentation.at(0, 0, 0), first(segmentation.before(0, A)), first(segmentation.before(0, B))]).toEqual([
      2, 1, 1
    ]);
    segmentation.settle(3);
    segmentation.want(0, [A, B]);
    await answer(3, 3);
    // B was not in view after the second training.
    expect([first(segmentation.before(0, A)), segmentation.before(0, B)]).toEqual([2, undefined]);
  });

  it('stays when tiles are fetched again because labels were erased', async () => {
    const { segmentation, answer } = make();
    segmentation.want(0, [A]);
    await answer(1);
    segmentation.settle(2);
    segmentation.want(0, [A]);
    await answer(2, 2);
    segmentation.stale(0, [A], 5);
    segmentation.want(0, [A]);
    await answer(3, 2);
    expect([segmentation.at(0, 0, 0), first(segmentation.before(0, A))]).toEqual([3, 1]);
  });

  it('is the one before a live round, also once the round is complete', async () => {
    const { segmentation, answer, bring } = make();
    segmentation.want(0, [A]);
    await answer(1);
    bring(1, 2, [A]);
    bring(1, 2, [B]);
    expect([segmentation.at(0, 0, 0), first(segmentation.before(0, A))]).toEqual([2, 1]);
    segmentation.settle(2, 1);
    expect(first(segmentation.before(0, A))).toBe(1);
    bring(2, 3, [A]);
    expect(first(segmentation.before(0, A))).toBe(2);
  });
});
