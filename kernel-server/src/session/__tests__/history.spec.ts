/** Undo and redo against a plain stack of states: through restarts, compaction, crashes and a damaged history. */
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { LABEL_TILE, MASK_BYTES } from '../../../../src/shared/limits';
import { ArrayDescriptor, LabelClass, LabelPatch, Layer, Provenance } from '../../../../src/shared/protocol';
import { PROVENANCE_CODES } from '../../../../src/shared/provenance';
import { JournalledLabels } from '../journalled-labels';
import { relabel } from '../whole-labels';

type Patch = Omit<LabelPatch, 'session'>;

/** What undo must bring back. */
interface IState {
  labels: Buffer;
  /** What made each label. */
  provenance: Buffer;
  correction: Buffer;
  classes: string;
}

const SHAPE = [2, 300, 517];
const MADE = { provenance: 'python', tool: 'test' } as const;
const CLASSES: LabelClass[] = [1, 2, 3].map(id => ({ id, name: `phase ${id}`, color: '#0072b2' }));

let folder: string;
let store: JournalledLabels | undefined;
let seed: number;
let ids: number;

function random(n: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
}

const arrayIn = (place: string, name = 'labels'): ArrayDescriptor => ({
  path: join(place, `${name}.bin`),
  dtype: 'uint8',
  shape: SHAPE,
  version: 0
});

/** Open the labels of a folder into an array of zeros, as after a restart of the computer. */
async function openIn(place: string, compactBytes = 1 << 20): Promise<JournalledLabels> {
  const [array, provenance, correction] = [arrayIn(place), arrayIn(place, 'provenance'), arrayIn(place, 'correction')];
  for (const { path } of [array, provenance, correction]) {
    writeFileSync(path, new Uint8Array(SHAPE.reduce((product, n) => product * n)));
  }
  return JournalledLabels.open(join(place, 'labels.journal'), array, {
    provenance,
    makeCorrection: async () => correction,
    compactBytes,
    blank: true,
    chunkBytes: 1 << 16
  });
}

function stateOf(labels: JournalledLabels): IState {
  const read = (name: string) => readFileSync(labels.array.path.replace('labels.bin', `${name}.bin`));
  return {
    labels: read('labels'),
    provenance: read('provenance'),
    correction: read('correction'),
    classes: JSON.stringify(labels.classes)
  };
}

function isSame(a: IState, b: IState): boolean {
  const planes = ['labels', 'provenance', 'correction'] as const;
  return planes.every(plane => a[plane].equals(b[plane])) && a.classes === b.classes;
}

/** What makes the labels of a change, or that each keeps what made it. */
type Made = Provenance | 'kept';

/** What must be known of labels after a change: what made those that differ, and as before of the others. */
function provenanceAfter(before: IState, labels: Buffer, made: Made): Buffer {
  const out = Buffer.from(before.provenance);
  labels.forEach((id, i) => {
    if (id !== before.labels[i]) {
      out[i] = id === 0 ? 0 : made === 'kept' ? out[i]! : PROVENANCE_CODES[made];
    }
  });
  return out;
}

const count = (bytes: Buffer) => bytes.reduce((sum, id) => sum + (id > 0 ? 1 : 0), 0);

/** All labels in half of the cases, else some. */
const aReplaces = (): Patch['replaces'] => (random(2) === 1 ? 'all' : [[0], [0, 2], [1, 3]][random(3)]!);

function aPatch(layer?: Layer): { patch: Patch; buffers: Uint8Array[] } {
  const patch: Patch = {
    ...(layer && { layer }),
    slice: random(2),
    class: random(4),
    replaces: aReplaces(),
    tiles: [{ row: random(2), column: random(3) }],
    made: { provenance: (['hand', 'sam', 'python'] as const)[random(3)]!, tool: 'brush' }
  };
  const [top, height, left] = [random(LABEL_TILE - 60), 1 + random(40), random(30)];
  const mask = Uint8Array.from({ length: MASK_BYTES }, (_, i) => {
    const [row, byte] = [i >> 5, i & 31];
    return row >= top && row < top + height && byte >= left ? 1 + ((i * 37) % 255) : 0;
  });
  return { patch, buffers: [deflateRawSync(mask)] };
}

/** Make one random change. @returns what makes its labels; undefined if it leaves the labels as they are */
async function change(labels: JournalledLabels): Promise<Made | undefined> {
  const kind = random(22);
  if (kind < 16) {
    const layer = ([undefined, 'labels', 'correction'] as const)[random(3)];
    const { patch, buffers } = aPatch(layer);
    await labels.patch(`${ids++}`, patch, buffers);
    return layer === 'correction' ? undefined : patch.made?.provenance;
  } else if (kind === 16) {
    const staged = { ...arrayIn(folder), path: join(folder, 'staged.bin') };
    const next = Buffer.from(readFileSync(labels.array.path));
    for (let n = 0; n < 5000; n++) {
      next[random(next.length)] = random(4);
    }
    writeFileSync(staged.path, next);
    await labels.replace(staged, MADE, labels.classes.length < CLASSES.length ? { classes: CLASSES } : {});
    return 'python';
  } else if (kind === 17) {
    const classes = CLASSES.map(item => ({ ...item, name: `new ${ids++} ${item.id}` }));
    await labels.replace(null, MADE, { classes, correction: random(2) === 0 ? null : undefined });
    return 'python';
  } else if (kind === 18) {
    // As interpolation does: what is empty is filled, and the rest stays.
    const rect = { slice: random(2), row0: random(100), row1: 150 + random(100), column0: random(200), column1: 517 };
    const id = random(4);
    await labels.edit(
      `${ids++}`,
      { provenance: 'interpolation', tool: 'interpolate' },
      async ({ labels: file }, recorder) => {
        const now = file.read(rect) as Uint8Array;
        recorder.add(
          rect,
          now,
          now.map(label => label || id)
        );
      }
    );
    return 'interpolation';
  } else if (kind < 21) {
    // One class is merged into another, or removed with its labels; that class then comes again with a name of its own.
    const [from, into] = [1 + random(3), random(4)];
    const table = Uint8Array.from({ length: 256 }, (_, id) => (id === from ? into : id));
    const classes = labels.classes.filter(({ id }) => id !== from || id === into);
    const now = from === into ? [...labels.classes].reverse() : classes;
    const before = stateOf(labels);
    await labels.edit(`${ids++}`, MADE, (planes, recorder) => relabel(planes, recorder, table, 1 << 14), {
      classes: now
    });
    const after = stateOf(labels);
    for (const layer of ['labels', 'correction'] as const) {
      expect(after[layer].equals(before[layer].map(id => table[id]!))).toBe(true);
    }
    expect(labels.classes).toEqual(now);
    return 'kept';
  } else {
    await labels.setClasses(
      CLASSES.map(item => ({ ...item, name: `renamed ${ids++} ${item.id}` })),
      MADE
    );
  }
  return undefined;
}

beforeEach(async () => {
  seed = 11;
  ids = 0;
  folder = mkdtempSync(join(tmpdir(), 'sl-'));
  store = await openIn(folder);
  await store.setClasses(CLASSES);
});

afterEach(async () => {
  await store?.close();
  rmSync(folder, { recursive: true });
});

it('brings back each earlier state exactly, and each later one again, at every restart and crash', async () => {
  let labels = store!;
  let states = [stateOf(labels)];
  let at = 0;
  let undone = 0;
  for (let i = 0; i < 500; i++) {
    const kind = random(10);
    if (kind < 5) {
      const before = stateOf(labels);
      const steps = labels.history.position;
      const made = await change(labels);
      const now = stateOf(labels);
      expect(made !== undefined || now.labels.equals(before.labels)).toBe(true);
      expect(now.provenance.equals(provenanceAfter(before, now.labels, made ?? 'hand'))).toBe(true);
      if (isSame(before, now)) {
        expect(labels.history.position).toBe(steps); // what changes nothing is no step
      } else {
        states = [...states.slice(0, at + 1), now];
        at++;
      }
    } else if (kind < 8) {
      for (let n = 1 + random(5); n > 0 && at > 0; n--) {
        await labels.move(`${ids++}`, 'before');
        at--;
        undone++;
        expect(isSame(stateOf(labels), states[at]!)).toBe(true);
      }
    } else if (kind === 8) {
      for (let n = 1 + random(4); n > 0 && at < states.length - 1; n--) {
        await labels.move(`${ids++}`, 'after');
        at++;
        expect(isSame(stateOf(labels), states[at]!)).toBe(true);
      }
    } else if (random(2) === 0) {
      await labels.close();
      labels = store = await openIn(folder, [1 << 20, 1 << 12][random(2)]);
    } else {
      // A crash leaves the files as they are now, and perhaps not the end of the history.
      const crashed = mkdtempSync(join(tmpdir(), 'sl-'));
      cpSync(folder, crashed, { recursive: true });
      const copy = await openIn(crashed);
      expect(isSame(stateOf(copy), states[at]!)).toBe(true);
      expect(copy.history.steps).toHaveLength(labels.history.steps.length);
      for (let n = Math.min(at, 3); n > 0; n--) {
        await copy.move(`crashed ${n}`, 'before');
      }
      expect(isSame(stateOf(copy), states[Math.max(0, at - 3)]!)).toBe(true);
      await copy.close();
      rmSync(crashed, { recursive: true });
    }
    expect(isSame(stateOf(labels), states[at]!)).toBe(true);
    expect(labels.history.position).toBe(at);
    expect(labels.history.steps).toHaveLength(states.length - 1);
    expect(labels.pixels).toBe(count(states[at]!.labels));
    expect(Object.values(labels.corrected).reduce((sum, n) => sum + n, 0)).toBe(count(states[at]!.correction));
  }
  expect(undone).toBeGreaterThan(100);
}, 120_000);

it('undoes once when a request comes twice, also after a restart', async () => {
  let labels = store!;
  for (let i = 0; i < 3; i++) {
    const { patch, buffers } = aPatch();
    const tiles = [{ row: 0, column: i % 2 }];
    await labels.patch(`${i}`, { ...patch, tiles, class: 1 + (i % 3), replaces: 'all' }, buffers);
  }
  const { version, changed } = await labels.move('undo', 'before');
  expect(await labels.move('undo', 'before')).toMatchObject({ version, changed });
  await labels.close();
  labels = store = await openIn(folder);
  expect(await labels.move('undo', 'before')).toMatchObject({ version, changed });
  expect(labels.history.position).toBe(2);
});

it('loses steps and no label where the history is damaged or cut', async () => {
  const labels = store!;
  const states = [stateOf(labels)];
  while (states.length < 40) {
    const before = states.at(-1)!;
    await change(labels);
    const now = stateOf(labels);
    if (!isSame(before, now)) {
      states.push(now);
    }
  }
  await labels.close();
  store = undefined;
  for (let i = 0; i < 30; i++) {
    const place = mkdtempSync(join(tmpdir(), 'sl-'));
    cpSync(folder, place, { recursive: true });
    const path = join(place, 'labels.history');
    if (i % 2) {
      truncateSync(path, random(statSync(path).size));
    } else {
      const bytes = readFileSync(path);
      for (let n = 0; n < 3; n++) {
        bytes[random(bytes.length)]! ^= 1 << random(8);
      }
      writeFileSync(path, bytes);
    }
    const opened = await openIn(place);
    let at = states.length - 1;
    expect(isSame(stateOf(opened), states[at]!)).toBe(true);
    while (opened.history.undoable) {
      await opened.move(`undo ${at}`, 'before');
      expect(isSame(stateOf(opened), states[--at]!)).toBe(true);
    }
    await expect(opened.move('none', 'before')).rejects.toMatchObject({ code: 'invalid' });
    await opened.close();
    rmSync(place, { recursive: true });
  }
}, 120_000);

it('tells who made each step, with which tool, where and when', async () => {
  const labels = store!;
  const { patch, buffers } = aPatch();
  const made = { provenance: 'sam', tool: 'suggestion' } as const;
  const { changed } = await labels.patch(
    'a',
    { ...patch, tiles: [{ row: 0, column: 0 }], slice: 1, class: 2, made },
    buffers
  );
  const [step] = labels.history.steps.slice(-1);
  expect(step).toMatchObject({ ...made, pixels: changed, slice: 1, class: 2 });
  expect(Date.now() - Date.parse(step!.at)).toBeLessThan(60_000);
});
