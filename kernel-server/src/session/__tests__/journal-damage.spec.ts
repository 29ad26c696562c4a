/** Damaged journals: what is intact is replayed, what is lost is reported, and the damaged file is kept. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { LABEL_TILE, MASK_BYTES } from '../../../../src/shared/limits';
import { ArrayDescriptor, LabelPatch } from '../../../../src/shared/protocol';
import { HEAD_BYTES } from '../journal-format';
import { JournalledLabels } from '../journalled-labels';
import { ILoss } from '../replay';

type Patch = Omit<LabelPatch, 'session'>;

/** A stroke, and what it does to a plain array of labels. */
interface IStroke {
  id: string;
  patch: Patch;
  buffers: Uint8Array[];
  apply(model: Uint8Array): void;
}

/** A record of the whole journal as this test reads it. */
interface IRecord {
  type: number;
  version: number;
  bytes: Buffer;
  json: { position?: number; blankFrom?: number };
}

const SHAPE = [2, 280, 180] as const;
const SIZE = SHAPE[0] * SHAPE[1] * SHAPE[2];
const CHUNK = 8192;
const CLASSES = [1, 2, 3].map(id => ({ id, name: `phase ${id}`, color: '#0072b2' }));

let seed = 1;
const random = (n: number) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
};

let folder: string;
let array: ArrayDescriptor;
let store: JournalledLabels | undefined;

beforeAll(() => jest.spyOn(process.stderr, 'write').mockReturnValue(true));
afterAll(() => jest.restoreAllMocks());

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sl-'));
  array = { path: join(folder, 'labels.bin'), dtype: 'uint8', shape: [...SHAPE], version: 0 };
  writeFileSync(array.path, new Uint8Array(SIZE));
});

afterEach(async () => {
  await store?.close();
  store = undefined;
  rmSync(folder, { recursive: true });
});

const journal = () => join(folder, 'labels.journal');
const copies = () => readdirSync(folder).filter(name => name.endsWith('.damaged'));

/** Open the labels over an array that holds rubbish, as after a crash. */
async function reopen(version = 0): Promise<JournalledLabels> {
  await store?.close();
  store = undefined;
  writeFileSync(array.path, new Uint8Array(SIZE).fill(9), { flag: 'r+' });
  store = await JournalledLabels.open(journal(), array, { chunkBytes: CHUNK, version });
  return store;
}

/** All labels in half of the cases, else some. */
const aReplaces = (): Patch['replaces'] => ['all' as const, 'all' as const, [0], [0, 2], [1, 3], []][random(6)]!;

/** A stroke of one rectangle in one tile. */
function stroke(id: string): IStroke {
  const [, rows, columns] = SHAPE;
  const patch: Patch = {
    slice: random(2),
    class: random(4),
    replaces: aReplaces(),
    tiles: [{ row: random(2), column: 0 }]
  };
  const tile = patch.tiles[0]!;
  const [top, left, height, width] = [random(24), random(120), 1 + random(60), 1 + random(50)];
  const mask = new Uint8Array(MASK_BYTES);
  for (let r = top; r < top + height; r++) {
    for (let c = left; c < left + width; c++) {
      mask[(r * LABEL_TILE + c) >> 3]! |= 128 >> (c & 7);
    }
  }
  const apply = (model: Uint8Array) => {
    for (let r = top; r < top + height && tile.row * LABEL_TILE + r < rows; r++) {
      for (let c = left; c < left + width; c++) {
        const at = (patch.slice * rows + tile.row * LABEL_TILE + r) * columns + c;
        if (patch.replaces === 'all' || patch.replaces.includes(model[at]!)) {
          model[at] = patch.class;
        }
      }
    }
  };
  return { id, patch, buffers: [deflateRawSync(mask)], apply };
}

/** Labels, then strokes over them, as a user makes them. @returns the file, and what it was made from */
async function use(): Promise<{ file: Buffer; set: Uint8Array; strokes: Map<number, IStroke> }> {
  const labels = await reopen();
  await labels.setClasses(CLASSES.slice(0, 2));
  const set = new Uint8Array(SIZE);
  // Some chunks stay blank.
  for (const [row0, row1] of [
    [20, 100],
    [190, 260],
    [420, 545]
  ] as const) {
    for (let i = row0 * SHAPE[2]; i < row1 * SHAPE[2]; i++) {
      set[i] = random(5) === 0 ? 1 + random(3) : 0;
    }
  }
  const staged = { ...array, path: join(folder, 'staged.bin') };
  writeFileSync(staged.path, set);
  await labels.setClasses(CLASSES);
  await labels.replace(staged, { provenance: 'python', tool: 'test' });
  const strokes = new Map<number, IStroke>();
  for (let i = 0; i < 30; i++) {
    const made = stroke(`stroke-${i}`);
    strokes.set((await labels.patch(made.id, made.patch, made.buffers)).version, made);
    if (i === 20) {
      await labels.setClasses(CLASSES);
    }
  }
  await labels.close();
  store = undefined;
  return { file: readFileSync(journal()), set, strokes };
}

/** The records of a whole journal. */
function recordsOf(file: Buffer): IRecord[] {
  const records: IRecord[] = [];
  for (let at = 8; at < file.length;) {
    const bytes = file.subarray(at, at + HEAD_BYTES + file.readUInt32LE(at));
    const text = bytes.toString('utf8', HEAD_BYTES + 4, HEAD_BYTES + 4 + bytes.readUInt32LE(HEAD_BYTES));
    const { json } = JSON.parse(text) as { json: IRecord['json'] };
    records.push({ type: bytes[4]!, version: bytes.readUInt32LE(5), bytes, json });
    at += bytes.length;
  }
  return records;
}

const DAMAGES: Record<string, (file: Buffer) => Buffer> = {
  'flipped bits': file => {
    const out = Buffer.from(file);
    for (let n = 1 + random(4); n > 0; n--) {
      out[random(out.length)]! ^= 1 << random(8);
    }
    return out;
  },
  'a flipped bit near the start': file => {
    const out = Buffer.from(file);
    out[random(700)]! ^= 1 << random(8);
    return out;
  },
  'a flipped bit near the end': file => {
    const out = Buffer.from(file);
    out[out.length - 1 - random(700)]! ^= 1 << random(8);
    return out;
  },
  'a lost end': file => file.subarray(0, random(file.length)),
  'a lost end of a few records': file => file.subarray(0, file.length - random(1500)),
  'a lost middle': file => {
    const from = random(file.length);
    return Buffer.concat([file.subarray(0, from), file.subarray(from + 1 + random(3000))]);
  },
  'swapped blocks': file => {
    const out = Buffer.from(file);
    const length = [64, 512, 4096][random(3)]!;
    const from = random(file.length - 2 * length);
    const to = from + length + random(file.length - from - 2 * length);
    file.copy(out, to, from, from + length);
    file.copy(out, from, to, to + length);
    return out;
  },
  'a block of zeros': file => {
    const out = Buffer.from(file);
    const from = random(file.length);
    return out.fill(0, from, Math.min(out.length, from + 1 + random(4096)));
  },
  'no start': file => file.subarray(random(2000)),
  'flipped bits and a lost end': file => {
    const out = Buffer.from(file.subarray(0, file.length - random(2000)));
    out[random(out.length)]! ^= 1 << random(8);
    return out;
  }
};

const onDisk = () => readFileSync(array.path);
const labelled = (labels: Uint8Array) => labels.reduce((n, id) => n + (id > 0 ? 1 : 0), 0);

function countsOf(model: Uint8Array): Record<string, number> {
  const counts: Record<string, number> = {};
  model.forEach(id => id > 0 && (counts[id] = (counts[id] ?? 0) + 1));
  return counts;
}

describe('A damaged journal', () => {
  it('500 times: all that is intact is replayed, what is reported lost is lost, and further strokes survive', async () => {
    const { file, set, strokes } = await use();
    const records = recordsOf(file);
    const last = Math.max(...strokes.keys());
    const kinds = Object.entries(DAMAGES);
    const seen = { whole: 0, patches: 0, lostPatches: 0, lostPixels: 0 };
    for (let run = 0; run < 500; run++) {
      const [kind, damage] = kinds[run % kinds.length]!;
      const bytes = damage(file);
      const known = random(2) === 0 ? last : 0;
      const where = `run ${run}: ${kind}`;
      copies().forEach(name => rmSync(join(folder, name)));
      rmSync(journal(), { force: true });
      writeFileSync(journal(), bytes);

      // What must be there, from the records that stand in the damaged file byte for byte.
      const intact = records.filter(record => bytes.includes(record.bytes));
      const chunks = records.filter(({ type }) => type === 2);
      const lostChunks = chunks.filter(record => !intact.includes(record));
      const lostPatches = records.filter(record => record.type === 4 && !intact.includes(record)).length;
      const model = new Uint8Array(SIZE);
      let lostPixels = 0;
      for (const { json } of chunks) {
        model.set(set.subarray(json.position, json.position! + CHUNK), json.position);
      }
      for (const { json } of lostChunks) {
        lostPixels += labelled(model.subarray(json.position, json.position! + CHUNK));
        model.fill(0, json.position, json.position! + CHUNK);
      }
      intact
        .filter(({ type }) => type === 4)
        .sort((a, b) => a.version - b.version)
        .forEach(({ version }) => strokes.get(version)!.apply(model));

      const labels = await reopen(known);
      const same = Buffer.from(model).equals(onDisk());
      expect([where, same]).toEqual([where, true]);
      expect(labels.counts).toEqual(countsOf(model));
      const { loss } = labels;
      if (!loss) {
        // Nothing is lost, or the file just ends earlier and nobody knows how long it was.
        expect([where, lostChunks.length]).toEqual([where, 0]);
        expect([where, lostPatches === 0 || (known === 0 && file.subarray(0, bytes.length).equals(bytes))]).toEqual([
          where,
          true
        ]);
        expect(copies()).toEqual([]);
        seen.whole++;
      } else {
        checkLoss(loss, {
          where,
          exact: known > 0 || intact.some(({ version }) => version === last),
          lostPatches,
          lostPixels
        });
        const rows = new Set(
          loss.rows.flatMap(({ slice, row0, row1 }) =>
            Array.from({ length: row1 - row0 }, (_, i) => slice * SHAPE[1] + row0 + i)
          )
        );
        for (const { json } of lostPixels > 0 ? lostChunks : []) {
          expect(rows.has(Math.floor(json.position! / SHAPE[2]))).toBe(true);
          expect(rows.has(Math.floor((Math.min(json.position! + CHUNK, SIZE) - 1) / SHAPE[2]))).toBe(true);
        }
        expect(copies()).toHaveLength(1);
        expect(labels.copy).toBe(join(folder, copies()[0]!));
        seen.lostPixels += lostPixels;
        seen.lostPatches += lostPatches;
        seen.patches += strokes.size;
      }

      const { version } = labels;
      for (let restart = 0; restart < 2; restart++) {
        const more = stroke(`more-${run}-${restart}`);
        more.apply(model);
        expect((await store!.patch(more.id, more.patch, more.buffers)).version).toBe(version + 1 + restart);
        const again = await reopen(version + 1 + restart);
        expect([where, Buffer.from(model).equals(onDisk())]).toEqual([where, true]);
        expect([again.loss, again.counts]).toEqual([null, countsOf(model)]);
      }
      if (loss) {
        expect(copies()).toHaveLength(1);
        expect(readFileSync(join(folder, copies()[0]!)).equals(bytes)).toBe(true);
      }
    }
    // The damage is severe enough to test something.
    expect(seen.whole).toBeLessThan(120);
    expect(seen.lostPixels).toBeGreaterThan(100000);
    expect(seen.lostPatches).toBeGreaterThan(500);
  }, 300000);

  it('is copied where the file system has no links, and stays as it is where no copy can be made', async () => {
    const { file } = await use();
    const broken = Buffer.from(file);
    broken[3]! ^= 1;
    writeFileSync(journal(), broken);
    const fail = (code: string) => Promise.reject(Object.assign(new Error(code), { code }));
    const link = jest.spyOn(promises, 'link').mockImplementation(() => fail('EPERM'));
    const copy = jest.spyOn(promises, 'copyFile').mockImplementation(() => fail('ENOSPC'));
    try {
      const labels = await reopen();
      expect([labels.damaged, labels.copy, copies()]).toEqual([true, undefined, []]);
      const refused = stroke('refused');
      await expect(labels.patch(refused.id, refused.patch, refused.buffers)).rejects.toMatchObject({
        code: 'disk-full'
      });
      expect(readFileSync(journal()).equals(broken)).toBe(true);
      copy.mockRestore();
      const { version } = labels;
      expect(await labels.patch(refused.id, refused.patch, refused.buffers)).toMatchObject({ version: version + 1 });
      expect(copies().map(name => readFileSync(join(folder, name)).equals(broken))).toEqual([true]);
      const model = onDisk();
      expect((await reopen(version + 1)).loss).toBeNull();
      expect(onDisk().equals(model)).toBe(true);
    } finally {
      link.mockRestore();
      copy.mockRestore();
    }
  });
});

function checkLoss(
  loss: ILoss,
  { where, exact, lostPatches, lostPixels }: { where: string; exact: boolean; lostPatches: number; lostPixels: number }
): void {
  if (loss.more || !exact) {
    expect([where, loss.changes <= lostPatches]).toEqual([where, true]);
  } else {
    expect([where, loss.changes]).toEqual([where, lostPatches]);
  }
  if (loss.pixels !== null) {
    expect([where, loss.pixels]).toEqual([where, lostPixels]);
  } else {
    expect([where, loss.rows.length > 0]).toEqual([where, true]);
  }
}
