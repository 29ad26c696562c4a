import { IReply, LABEL_TILE } from '../../kernel-bridge';
import { deflateRawSync } from 'node:zlib';
import { ITileRef } from '../geometry';
import { SegmentationTiles } from '../segmentation';

const A = { row: 0, column: 0 };
const B = { row: 0, column: 1 };
const tick = () => new Promise(resolve => setTimeout(resolve, 0));

function make() {
  const asked: { tiles: ITileRef[]; resolve(reply: IReply<'overlay.tiles'>): void; reject(error: Error): void }[] = [];
  const segmentation = new SegmentationTiles({
    fetch: (_, tiles) => new Promise((resolve, reject) => asked.push({ tiles, resolve, reject }))
  });
  segmentation.version = 1;
  /** Answer the last request: every pixel of the tiles has this class. */
  const answer = async (classId: number, version = 1) => {
    const { tiles, resolve } = asked[asked.length - 1]!;
    const bytes = new Uint8Array(deflateRawSync(new Uint8Array(LABEL_TILE ** 2).fill(classId)));
    resolve({ result: { version, tiles }, buffers: tiles.map(() => bytes) });
    await tick();
  };
  return { segmentation, asked, answer };
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

  it('fetches a tile again whose labels changed, and shows what it was until then', async () => {
    const { segmentation, asked, answer } = make();
    segmentation.want(0, [A, B]);
    await answer(1);
    segmentation.stale(0, [B]);
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
    segmentation.staleAll();
    segmentation.want(0, [A, B]);
    expect(asked[1]!.tiles).toEqual([A, B]);
    await answer(2);
    expect(segmentation.at(0, 3, 3)).toBe(2);
  });

  it.each(['stale', 'staleAll'] as const)('fetches again what changed while it was on its way (%s)', async how => {
    const { segmentation, asked, answer } = make();
    segmentation.want(0, [A]);
    if (how === 'stale') {
      segmentation.stale(0, [A]);
    } else {
      segmentation.staleAll();
    }
    await answer(1);
    segmentation.want(0, [A]);
    expect(asked).toHaveLength(2);
    await answer(2);
    segmentation.want(0, [A]);
    expect(asked).toHaveLength(2);
    expect(segmentation.at(0, 3, 3)).toBe(2);
  });

  it.each(['answered', 'refused'])('shows nothing of a segmentation that was set aside before it was %s', async how => {
    const { segmentation, asked, answer } = make();
    const failed: string[] = [];
    segmentation.failed.connect((_, { message }) => failed.push(message));
    segmentation.want(0, [A]);
    segmentation.version = 0;
    if (how === 'answered') {
      await answer(1);
    } else {
      asked[0]!.reject(new Error('There is no segmentation.'));
      await tick();
    }
    expect(segmentation.version).toBe(0);
    expect(segmentation.at(0, 3, 3)).toBe(0);
    expect(failed).toEqual([]);
  });
});
