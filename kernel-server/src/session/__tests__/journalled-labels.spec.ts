/** Labels against a plain model of them: any patches, in any order, through reopening, compaction and setting aside. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import zlib, { deflateRawSync } from 'node:zlib';
import { LABEL_TILE } from '../../../../src/shared/limits';
import { ArrayDescriptor, LabelPatch } from '../../../../src/shared/protocol';
import { SliceRect } from '../../../../src/shared/rect';
import { readRect, TileFile } from '../../arrays/tile-file';
import { JournalReader } from '../journal-reader';
import { JournalledLabels } from '../journalled-labels';
import { MASK_BYTES } from '../../../../src/shared/limits';

type Patch = Omit<LabelPatch, 'session'>;

const SHAPE = [2, 300, 517] as const;
const MADE = { provenance: 'python', tool: 'test' } as const;
let folder: string;
let array: ArrayDescriptor;
let store: JournalledLabels | undefined;
let seed: number;

function random(n: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
}

beforeEach(() => {
  seed = 7;
  folder = mkdtempSync(join(tmpdir(), 'sl-'));
  array = { path: join(folder, 'labels.bin'), dtype: 'uint8', shape: [...SHAPE], version: 0 };
  writeFileSync(array.path, new Uint8Array(SHAPE[0] * SHAPE[1] * SHAPE[2]));
});

afterEach(async () => {
  await store?.close();
  rmSync(folder, { recursive: true });
});

const journal = () => join(folder, 'labels.journal');
const reopen = async (compactBytes?: number) => {
  await store?.close();
  store = await JournalledLabels.open(journal(), array, { compactBytes });
  return store;
};
const onDisk = () => new Uint8Array(readFileSync(array.path));

/** All labels in half of the cases, else some. */
const aReplaces = (): Patch['replaces'] => ['all' as const, 'all' as const, [0], [0, 2], [1, 3], []][random(6)]!;

/** A patch of some tiles with blocky masks, and what it does to the model. */
function stroke(): { patch: Patch; buffers: Uint8Array[]; apply(model: Uint8Array): number } {
  const [, rows, columns] = SHAPE;
  const patch: Patch = { slice: random(2), class: random(4), replaces: aReplaces(), tiles: [] };
  const masks: Uint8Array[] = [];
  for (let n = 1 + random(3); n > 0; n--) {
    const tile = { row: random(2), column: random(3) };
    if (!patch.tiles.some(({ row, column }) => row === tile.row && column === tile.column)) {
      patch.tiles.push(tile);
      const [top, height] = [random(LABEL_TILE), 1 + random(40)];
      const fill = 1 + random(255);
      masks.push(
        Uint8Array.from({ length: MASK_BYTES }, (_, i) => {
          const row = i >> 5;
          return row >= top && row < top + height && random(3) > 0 ? fill : 0;
        })
      );
    }
  }
  const apply = (model: Uint8Array) => {
    let changed = 0;
    patch.tiles.forEach((tile, i) => {
      for (let r = 0; r < LABEL_TILE; r++) {
        for (let c = 0; c < LABEL_TILE; c++) {
          const [row, column] = [tile.row * LABEL_TILE + r, tile.column * LABEL_TILE + c];
          const bit = r * LABEL_TILE + c;
          if (row >= rows || column >= columns || !((masks[i]![bit >> 3]! >> (7 - (bit & 7))) & 1)) {
            continue;
          }
          const at = (patch.slice * rows + row) * columns + column;
          if (model[at] !== patch.class && (patch.replaces === 'all' || patch.replaces.includes(model[at]!))) {
            model[at] = patch.class;
            changed++;
          }
        }
      }
    });
    return changed;
  };
  return { patch, buffers: masks.map(mask => deflateRawSync(mask)), apply };
}

function countsOf(model: Uint8Array): Record<string, number> {
  const counts: Record<string, number> = {};
  model.forEach(id => id > 0 && (counts[id] = (counts[id] ?? 0) + 1));
  return counts;
}

describe('Labels', () => {
  it.each([undefined, 4000])(
    'are what the patches say, after reopening as well (compaction at %s bytes)',
    async bytes => {
      const model = new Uint8Array(onDisk().byteLength);
      let version = 0;
      for (let round = 0; round < 4; round++) {
        const labels = await reopen(bytes);
        expect(labels.version).toBe(version);
        const strokes = Array.from({ length: 25 }, stroke);
        const replies = await Promise.all(
          strokes.map(({ patch, buffers }, i) => labels.patch(`${round}-${i}`, patch, buffers))
        );
        for (const [i, { apply }] of strokes.entries()) {
          expect(replies[i]).toEqual({ version: ++version, changed: apply(model) });
        }
        expect(Buffer.from(onDisk()).equals(Buffer.from(model))).toBe(true);
        expect(labels.counts).toEqual(countsOf(model));
      }
      await store!.close();
      store = undefined;
      writeFileSync(array.path, new Uint8Array(model.byteLength).fill(9), { flag: 'r+' });
      const labels = await reopen(bytes);
      expect(Buffer.from(onDisk()).equals(Buffer.from(model))).toBe(true);
      expect([labels.version, labels.counts]).toEqual([version, countsOf(model)]);
    }
  );

  it('remember applied patches after a compaction', async () => {
    const labels = await reopen(1);
    const { patch, buffers } = stroke();
    const first = await labels.patch('once', patch, buffers);
    for (let i = 0; i < 30; i++) {
      const next = stroke();
      await labels.patch(`later-${i}`, next.patch, next.buffers);
    }
    const again = await reopen(1);
    expect(await again.patch('once', patch, buffers)).toEqual(first);
    expect(again.version).toBe(31);
  });

  it('keep their journal small when much is drawn', async () => {
    const labels = await reopen(20000);
    const mask = deflateRawSync(new Uint8Array(MASK_BYTES).fill(255, 100, 900));
    let largest = 0;
    for (let i = 0; i < 400; i++) {
      const patch: Patch = { slice: 0, class: i % 3, replaces: 'all', tiles: [{ row: 0, column: 0 }] };
      await labels.patch(`${i}`, patch, [mask]);
      await labels.exclusive(async () => undefined);
      largest = Math.max(largest, statSync(journal()).size);
    }
    // 400 records have 74 kB; the ids that are remembered take some room in every snapshot.
    expect(largest).toBeLessThan(30000);
    expect(labels.version).toBe(400);
  });

  it('inflate each mask of a patch once', async () => {
    const labels = await reopen();
    const { patch, buffers } = stroke();
    const inflate = jest.spyOn(zlib, 'inflateRawSync');
    try {
      await labels.patch('once', patch, buffers);
      expect(inflate).toHaveBeenCalledTimes(buffers.length);
    } finally {
      inflate.mockRestore();
    }
  });

  it('read each tile of a patch once, and hand on what they wrote', async () => {
    const labels = await reopen();
    const mask = new Uint8Array(MASK_BYTES).fill(255, 32 * 10, 32 * 12);
    const tiles = [
      { row: 0, column: 0 },
      { row: 1, column: 2 }
    ];
    const painted: [SliceRect, Uint8Array][] = [];
    labels.onPaint = ({ rect, after }) => void painted.push([rect, after]);
    const read = jest.spyOn(TileFile.prototype, 'read');
    try {
      await labels.patch('once', { slice: 1, class: 2, replaces: 'all', tiles }, [
        deflateRawSync(mask),
        deflateRawSync(mask)
      ]);
      expect(read).toHaveBeenCalledTimes(tiles.length);
    } finally {
      read.mockRestore();
    }
    expect(painted.map(([rect]) => rect)).toEqual([
      { slice: 1, row0: 10, row1: 12, column0: 0, column1: 256 },
      { slice: 1, row0: 266, row1: 268, column0: 512, column1: 517 }
    ]);
    for (const [rect, pixels] of painted) {
      expect(pixels).toEqual(readRect(array, rect));
      expect(new Set(pixels)).toEqual(new Set([2]));
    }
  });

  it('are set aside in a file that restores them', async () => {
    const labels = await reopen();
    const model = new Uint8Array(onDisk().byteLength);
    for (let i = 0; i < 5; i++) {
      const { patch, buffers, apply } = stroke();
      await labels.patch(`${i}`, patch, buffers);
      apply(model);
    }
    const aside = join(folder, 'aside.bak');
    await labels.replace(null, MADE, { keepAs: aside });
    expect(labels.counts).toEqual({});
    expect(onDisk().every(id => id === 0)).toBe(true);
    const copy = { ...array, path: join(folder, 'copy.bin') };
    writeFileSync(copy.path, new Uint8Array(model.byteLength));
    const old = await JournalledLabels.open(aside, copy);
    expect(Buffer.from(readFileSync(copy.path)).equals(Buffer.from(model))).toBe(true);
    await old.close();
    expect((await reopen()).pixels).toBe(0);
  });

  it('refuse a journal of another shape', async () => {
    await reopen();
    await store!.close();
    store = undefined;
    await expect(JournalledLabels.open(journal(), { ...array, shape: [2, 517, 300] })).rejects.toMatchObject({
      code: 'invalid'
    });
    const reader = await JournalReader.open(journal());
    expect(await reader!.shape()).toEqual([...SHAPE]);
    await reader!.close();
    expect(await JournalReader.open(join(folder, 'none'))).toBeUndefined();
  });
});
