import { deflateRawSync } from 'node:zlib';
import { Signal } from '@lumino/signaling';
import { IReply } from '../../../kernel-bridge';
import { LABEL_TILE } from '../../../shared';
import { ITileRef } from '../../base/geometry';
import { FakeLink } from '../../base/__tests__/fake-link';
import { IStored } from '../../labels/label-store';
import { LabelTiles } from '../../labels/label-tiles';
import { reduceMiddles } from '../../labels/reduce';
import { SegmentationTiles } from '../segmentation-tiles';

const IMAGE = { rows: 5000, columns: 5000 };
const LEVEL = 3;
/** The tile of the level that covers the first 8 × 8 tiles of full resolution. */
const A = { row: 0, column: 0, level: LEVEL };
const tick = () => new Promise(resolve => setTimeout(resolve, 0));
const full = (classId: number) => new Uint8Array(deflateRawSync(new Uint8Array(LABEL_TILE ** 2).fill(classId)));

function make() {
  const asked: { level?: number; tiles: ITileRef[]; resolve(reply: IReply<'overlay.tiles'>): void }[] = [];
  const link = new FakeLink(
    (_, { level, tiles }: { level: number; tiles: ITileRef[] }) =>
      new Promise(resolve => asked.push({ level, tiles, resolve }))
  );
  const labels = new LabelTiles(IMAGE);
  const stored = new Signal<never, IStored>({} as never);
  const segmentation = new SegmentationTiles({
    image: IMAGE,
    slices: 1,
    link,
    labels: { slice: () => labels, stored, crossed: new Signal<never, number>({} as never) }
  });
  segmentation.settle(1);
  const answer = async (classId: number, version = 1) => {
    const { tiles, resolve } = asked.at(-1)!;
    resolve({ result: { version, tiles }, buffers: tiles.map(() => full(classId)) });
    await tick();
  };
  const bring = (round: number, classId: number, tiles: ITileRef[]) =>
    link.tell(
      'segmentation.tiles',
      { session: 'a', round, labelsVersion: round, slice: 0, tiles },
      tiles.map(() => full(classId))
    );
  /** The class of the reduced pixel that shows a pixel. */
  const at = (row: number, column: number) =>
    segmentation.classes(0, A)?.[(row >> LEVEL) * LABEL_TILE + (column >> LEVEL)];
  return { segmentation, labels, stored, asked, answer, bring, at };
}

describe('A segmentation that is zoomed out', () => {
  it('asks for the tiles of the level, once, and for none of full resolution', async () => {
    const { segmentation, asked, answer, at } = make();
    segmentation.want(0, [A], [], LEVEL);
    expect(segmentation.settled).toBe(false);
    await answer(2);
    segmentation.want(0, [A], [], LEVEL);
    expect(asked.map(({ level, tiles }) => [level, tiles])).toEqual([[LEVEL, [{ row: 0, column: 0 }]]]);
    expect([segmentation.settled, at(10, 10), segmentation.at(0, 10, 10), segmentation.at(0, 3000, 10)]).toEqual([
      true,
      2,
      2,
      0
    ]);
  });

  it('shows tiles that a round sends at once, reduced as the sidecar does, and fetches the level again at its end', async () => {
    const { segmentation, asked, answer, bring, at } = make();
    segmentation.want(0, [A], [], LEVEL);
    await answer(2);
    bring(1, 1, [{ row: 3, column: 4 }]);
    expect([at(3 * 256, 4 * 256), at(4 * 256 - 1, 5 * 256 - 1)]).toEqual([1, 1]);
    expect([at(3 * 256 - 8, 4 * 256), at(3 * 256, 5 * 256), at(4 * 256, 4 * 256)]).toEqual([2, 2, 2]);
    segmentation.settle(2, 1);
    expect(at(3 * 256, 4 * 256)).toBe(1); // until the new one arrives
    segmentation.want(0, [A], [], LEVEL);
    expect(asked).toHaveLength(2);
    await answer(1, 2);
    expect(at(0, 0)).toBe(1);
    // The one before the training is still there to be compared.
    expect(segmentation.before(0, A)!.every(id => id === 2)).toBe(true);
  });

  it('shows what is drawn on it, and fetches a tile again in which labels were erased', async () => {
    const { segmentation, labels, stored, asked, answer, at } = make();
    segmentation.want(0, [A], [], LEVEL);
    await answer(2);
    labels.paintRun(1001, 500, 600, 1, 'all');
    expect([at(1001, 500), at(1001, 599), at(1001, 608), at(1010, 500)]).toEqual([1, 1, 2, 2]);
    stored.emit({ slice: 0, tiles: [{ row: 3, column: 2 }], erases: true, version: 2 });
    segmentation.want(0, [A], [], LEVEL);
    expect(asked).toHaveLength(2);
    stored.emit({ slice: 0, tiles: [{ row: 3, column: 2 }], erases: true, version: 3 }); // during the request
    await answer(2);
    segmentation.want(0, [A], [], LEVEL);
    expect(asked).toHaveLength(3);
    await answer(2);
    stored.emit({ slice: 0, tiles: [{ row: 8, column: 2 }], erases: true, version: 4 }); // another tile of the level
    segmentation.want(0, [A], [], LEVEL);
    expect(asked).toHaveLength(3);
  });

  it('keeps no tile that arrives when there is no segmentation any more', async () => {
    const { segmentation, answer, at } = make();
    segmentation.want(0, [A], [], LEVEL);
    segmentation.settle(0);
    await answer(2);
    expect([at(0, 0), segmentation.version, segmentation.size.tiles]).toEqual([undefined, 0, 0]);
  });
});

describe('reduceMiddles', () => {
  it('takes the last pixel inside the image where the middle of a block is outside', () => {
    const ids = Uint8Array.from({ length: LABEL_TILE ** 2 }, (_, i) => (i % LABEL_TILE) + 1);
    const reduced = reduceMiddles(ids, 2, { rows: 5, columns: 10 });
    expect([...reduced.subarray(0, 4)]).toEqual([3, 7, 10, 0]);
    expect([...reduced.subarray(64, 67)]).toEqual([3, 7, 10]);
    expect(reduced[128]).toBe(0);
  });
});
