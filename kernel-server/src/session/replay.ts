/** Fills labels, provenance and correction from a journal, and finds out what damage has cost. */
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { LabelClass, Layer } from '../../../src/shared/protocol';
import { breathe } from '../base/files';
import { applyEdit, Edit, EditRecorder, IPiece } from './edit';
import { Happened, IStep } from './history';
import { CHANGES_LABELS, IRecordJson, RecordType } from './journal-format';
import { IFound, JournalReader } from './journal-reader';
import { BRUSH, inflateMask, paintTile, Painted, Patch } from './patch-mask';
import { LayerRect, Planes, PLANES } from './planes';

const inflate = promisify(inflateRaw);

/** Bytes of labels in one chunk of a snapshot. */
export const CHUNK = 1 << 20;
/** Tiles that are painted between two turns of the event loop. */
const TILES_AT_ONCE = 8;
const ZEROS = new Uint8Array(CHUNK);

/** The answer to a patch. */
export interface IPatchResult {
  /** Version of the labels with the patch. */
  version: number;
  /** Number of pixels that changed. */
  changed: number;
}

/** Rows of one slice; the end is exclusive. */
export interface IRows {
  slice: number;
  row0: number;
  row1: number;
}

/** What the damage of a journal has cost. */
export interface ILoss {
  /** Patches that are surely lost. */
  changes: number;
  /** Whether more may be lost: bytes are damaged of which nothing is known. */
  more: boolean;
  /** Lost labelled pixels of the snapshot; null if unknown. Patches may have drawn over them. */
  pixels: number | null;
  /** Where labels of the snapshot may be lost. */
  rows: IRows[];
  /** Labelled pixels that are kept, but not what made them. */
  provenance: number;
  /** Bytes that belong to no intact record. */
  bytes: number;
}

/** What a journal says. */
export interface IReplayed {
  /** The version, and those in which each layer changed last. */
  version: number;
  last: Record<Layer, number>;
  /** The serial number of the snapshot, and that of the last change. */
  serials: { snapshot: number; last: number };
  /** The changes that the history lacks, in their order. */
  happened: Happened[];
  /** Answers to patches by request id, in the order of their versions. */
  results: Map<string, IPatchResult>;
  /** The latest classes; undefined if their records are lost. */
  classes: LabelClass[] | undefined;
  /** Null if the journal is whole. */
  loss: ILoss | null;
}

/** What {@link replay} has to know. */
export interface IReplayOptions {
  /** A version that the labels have had; a journal that ends earlier has lost its end. */
  known?: number;
  /** Whether the array is all zeros. */
  blank?: boolean;
  /** The serial number of the last change that the history has; those that follow are returned. */
  noted?: number;
}

/**
 * Fill the planes with what is intact in a journal: zeros, then the snapshot, then the changes in their order.
 *
 * @param planes without a correction, or with one that is all zeros
 */
export async function replay(
  reader: JournalReader,
  planes: Planes,
  { known = 0, blank = false, noted = Infinity }: IReplayOptions = {}
): Promise<IReplayed> {
  const snapshot = await fillFromSnapshot(reader, planes, blank);
  const { results, json } = snapshot;
  const last = json.begin?.last ?? { labels: snapshot.version, correction: 0 };
  const happened: Happened[] = [];
  let classes = json.begin?.classes;
  let applied = 0;
  for (const found of changesOf(reader, snapshot)) {
    const record = await reader.read(found);
    const { serial, version } = found;
    if (record?.type === RecordType.patch) {
      const { id, patch, at } = record.json;
      let masks: Uint8Array[];
      try {
        masks = record.buffers.map(inflateMask);
      } catch {
        continue;
      }
      const recorder = serial > noted ? new EditRecorder(planes, patch.made ?? BRUSH) : undefined;
      const changed = await paintPatch(planes, patch, masks, recorder && (change => recorder.note(change)));
      results.set(id, { version, changed });
      last[patch.layer ?? 'labels'] = version;
      if (recorder) {
        happened.push({ serial, ...stepOfPatch(patch, at, changed, await recorder.finish()) });
      }
      applied++;
    } else if (record?.type === RecordType.edit) {
      const { id, rects, direction, position, step: info } = record.json;
      const edit = rects.map((rect, i) => ({ rect, buffer: record.buffers[i]! }));
      const changed = await applyEdit(planes, edit, direction).catch(() => undefined);
      if (changed === undefined) {
        continue;
      }
      const after = record.json.classes;
      results.set(id, { version, changed });
      layersOf(rects).forEach(layer => (last[layer] = version));
      if (serial > noted) {
        const both = after && classes && { before: classes, after };
        happened.push({
          serial,
          ...(info ? stepOfEdit(info, edit.map(copied), changed, both) : { position })
        });
      }
      classes = after ?? classes;
      applied++;
    } else if (record?.type === RecordType.classes) {
      const { step: info } = record.json;
      if (serial > noted && info && classes) {
        const step = { info, edit: [], classes: { before: classes, after: record.json.classes } };
        happened.push({ serial, step });
      }
      classes = record.json.classes;
    }
  }
  const heads = [...reader.found, ...reader.headsOnly];
  const end = heads.reduce((max, { version }) => Math.max(max, version), known);
  const changes = Math.max(0, end - snapshot.version - applied);
  const whole = reader.damagedBytes === 0 && json.begin && json.end && snapshot.lost.length === 0 && changes === 0;
  const loss: ILoss = {
    changes,
    more: reader.endUnknown || snapshot.unknown,
    pixels: snapshot.lostPixels,
    rows: snapshot.lostPixels === 0 ? [] : rowsOf(snapshot.lost, planes),
    provenance: await withoutProvenance(snapshot.lost, planes),
    bytes: reader.damagedBytes
  };
  // Pages that show lost patches must not take these labels for the ones that they have.
  const version = whole ? end : end + 1;
  if (!whole) {
    last.labels = last.correction = version;
    await forgetOrphans(planes);
  }
  return {
    version,
    last,
    serials: { snapshot: snapshot.serial, last: heads.reduce((max, { serial }) => Math.max(max, serial), 0) },
    happened,
    results,
    classes: await classesOf(reader, json),
    loss: whole ? null : loss
  };
}

/** Paint a patch. `onPaint` is called for each rectangle that changed. @returns the number of pixels that changed */
export async function paintPatch(
  planes: Planes,
  patch: Patch,
  masks: Uint8Array[],
  onPaint?: Painted
): Promise<number> {
  if (!(await planes.use(patch.layer ?? 'labels'))) {
    return 0;
  }
  let changed = 0;
  for (const [i, tile] of patch.tiles.entries()) {
    changed += paintTile(planes, patch, tile, masks[i]!, onPaint);
    if (i % TILES_AT_ONCE === TILES_AT_ONCE - 1) {
      await breathe();
    }
  }
  return changed;
}

/** The layers of rectangles. */
export function layersOf(rects: readonly LayerRect[]): Set<Layer> {
  return new Set(rects.map(({ layer = 'labels' }) => layer));
}

/** Remove the provenance of labels that are lost. */
async function forgetOrphans({ labels, provenance, bytes }: Planes): Promise<void> {
  for (let position = 0; provenance && position < bytes; position += CHUNK) {
    const length = Math.min(CHUNK, bytes - position);
    const ids = labels.readBytes(position, length);
    const made = provenance.readBytes(position, length);
    provenance.writeBytes(
      position,
      made.map((code, i) => (ids[i] === 0 ? 0 : code))
    );
    await breathe();
  }
}

/** Labelled pixels whose provenance is in one of the ranges of bytes that are lost. */
async function withoutProvenance(
  ranges: readonly [number, number][],
  { labels, provenance, bytes: size }: Planes
): Promise<number> {
  let pixels = 0;
  const first = PLANES.indexOf('provenance') * size;
  for (const [from, to] of provenance ? ranges : []) {
    const end = Math.min(size, to - first);
    for (let position = Math.max(0, from - first); position < end; position += CHUNK) {
      const length = Math.min(CHUNK, end - position);
      const made = provenance!.readBytes(position, length);
      labels.readBytes(position, length).forEach((id, i) => (pixels += id > 0 && made[i] === 0 ? 1 : 0));
      await breathe();
    }
  }
  return pixels;
}

interface ISnapshotRead {
  /** The labels' version without patches, and the serial number of the last change in the snapshot. */
  version: number;
  serial: number;
  results: Map<string, IPatchResult>;
  json: { begin?: IRecordJson[RecordType.begin]; end?: IRecordJson[RecordType.end] };
  /** Ranges of bytes whose chunks are lost. */
  lost: [number, number][];
  lostPixels: number | null;
  /** Whether nothing is known of the snapshot, and so of how many patches were before the first intact one. */
  unknown: boolean;
}

async function fillFromSnapshot(reader: JournalReader, planes: Planes, blank: boolean): Promise<ISnapshotRead> {
  const { bytes: size } = planes;
  const total = PLANES.length * size;
  const json: ISnapshotRead['json'] = {};
  const lost: [number, number][] = [];
  let filled = 0;
  let accounted = 0;
  const put = (position: number, bytes: Uint8Array) =>
    planes.writeBytes(PLANES[Math.floor(position / size)]!, position % size, bytes);
  const zeroTo = async (end: number) => {
    while (filled < end) {
      const length = blank ? end - filled : Math.min(CHUNK, end - filled, size - (filled % size));
      if (!blank) {
        put(filled, ZEROS.subarray(0, length));
        await breathe();
      }
      filled += length;
    }
  };
  const account = (from: number, to: number) => {
    if (from > accounted) {
      lost.push([accounted, from]);
    }
    accounted = Math.max(accounted, to);
  };
  const chunks: { found: IFound; position: number; blankFrom: number }[] = [];
  for (const found of reader.found.filter(isSnapshot)) {
    const record = await reader.read(found);
    if (record?.type === RecordType.begin) {
      json.begin = record.json;
    } else if (record?.type === RecordType.end) {
      json.end = record.json;
    } else if (record?.type === RecordType.chunk) {
      chunks.push({ found, ...record.json });
    }
  }
  chunks.sort((a, b) => a.position - b.position);
  for (const { found, position, blankFrom } of chunks) {
    const bytes = await inflated((await reader.read(found))?.buffers[0]);
    if (!bytes || position < filled || position >= total || (position % size) + bytes.byteLength > size) {
      continue;
    }
    await zeroTo(position);
    const plane = PLANES[Math.floor(position / size)]!;
    if (plane !== 'provenance') {
      await planes.use(plane);
      for (const id of bytes) {
        planes.counts[plane][id]!++;
      }
    }
    put(position, bytes);
    filled += bytes.byteLength;
    account(blankFrom, filled);
  }
  await zeroTo(total);
  const heads = [...reader.found, ...reader.headsOnly];
  const versions = heads.filter(isSnapshot).map(({ version }) => version);
  const serials = heads.filter(isSnapshot).map(({ serial }) => serial);
  const first = heads
    .filter(({ type }) => CHANGES_LABELS.has(type))
    .reduce((min, { version }) => Math.min(min, version), Infinity);
  const ends = json.begin ?? json.end;
  const results = new Map(json.begin?.applied.map(([id, version, changed]) => [id, { version, changed }]));
  if (versions.length === 0 && first === 1) {
    // The patch that leads to version 1 is the first of all: there were no labels before.
    return { version: 0, serial: 0, results, json, lost: [], lostPixels: 0, unknown: false };
  }
  const pixels = (byId: Record<string, number> = {}) => Object.values(byId).reduce((sum, n) => sum + n, 0);
  const corrects = pixels(ends?.corrected) > 0 || chunks.some(({ position }) => position >= 2 * size);
  const drawn = corrects ? total : size;
  account(json.end?.blankFrom ?? drawn, drawn);
  return {
    serial: Math.max(0, ...serials),
    version: versions.length > 0 ? Math.max(...versions) : Number.isFinite(first) ? first - 1 : 0,
    results,
    json,
    lost,
    lostPixels: ends
      ? pixels(ends.counts) + pixels(ends.corrected) - planes.pixels('labels') - planes.pixels('correction')
      : lost.length > 0
        ? null
        : 0,
    unknown: versions.length === 0
  };
}

function isSnapshot({ type }: { type: RecordType }): boolean {
  return type === RecordType.begin || type === RecordType.chunk || type === RecordType.end;
}

/** A piece whose bytes outlive the reader's buffer. */
function copied({ rect, buffer }: IPiece): IPiece {
  return { rect, buffer: Uint8Array.from(buffer) };
}

/** The intact changes of labels and classes since the snapshot in their order, each once. */
function changesOf(reader: JournalReader, { version, serial }: ISnapshotRead): IFound[] {
  const changes = new Map<string, IFound>();
  for (const found of reader.found) {
    if (
      CHANGES_LABELS.has(found.type)
        ? found.version > version
        : found.type === RecordType.classes && found.serial >= serial
    ) {
      changes.set(`${found.type}/${found.version}/${found.serial}`, found);
    }
  }
  return [...changes.values()].sort((a, b) => a.version - b.version || a.serial - b.serial || a.offset - b.offset);
}

/** What the history is told of a patch: a step, or that nothing changed. */
export function stepOfPatch(
  { class: classId, slice, layer, made = BRUSH }: Patch,
  at: string,
  pixels: number,
  edit: Edit | Promise<Edit>
): { step: IStep } | { nothing: true } {
  const info = { ...made, at, pixels, ...(layer && { layer }), slice, class: classId };
  return pixels > 0 ? { step: { info, edit } } : { nothing: true };
}

/** What the history is told of an edit: a step, or that neither labels nor classes changed. */
export function stepOfEdit(
  info: IStep['info'],
  edit: Edit,
  pixels: number,
  classes: IStep['classes']
): { step: IStep } | { nothing: true } {
  const others = classes && JSON.stringify(classes.before) !== JSON.stringify(classes.after) ? { classes } : {};
  return pixels > 0 || 'classes' in others ? { step: { info, edit, ...others } } : { nothing: true };
}

async function classesOf(
  reader: JournalReader,
  { begin, end }: ISnapshotRead['json']
): Promise<LabelClass[] | undefined> {
  // The last one of the latest version is the newest: damage may have moved records, but seldom among those of one version.
  const changes = reader.found
    .filter(({ type }) => type === RecordType.classes || type === RecordType.edit)
    .sort((a, b) => b.version - a.version || b.serial - a.serial || b.offset - a.offset);
  for (const found of changes) {
    const record = await reader.read(found);
    if ((record?.type === RecordType.classes || record?.type === RecordType.edit) && record.json.classes) {
      return record.json.classes;
    }
  }
  return (begin ?? end)?.classes;
}

async function inflated(bytes: Uint8Array | undefined): Promise<Uint8Array | undefined> {
  return bytes && inflate(bytes).catch(() => undefined);
}

/** The rows of labels and correction that ranges of bytes touch. */
function rowsOf(ranges: [number, number][], { labels: { rows, columns }, bytes: size }: Planes): IRows[] {
  const out: IRows[] = [];
  for (const [from, to] of ranges) {
    for (let plane = 0; plane < PLANES.length; plane++) {
      const [start, end] = [Math.max(0, from - plane * size), Math.min(size, to - plane * size)];
      for (let row = Math.floor(start / columns); PLANES[plane] !== 'provenance' && row * columns < end;) {
        const slice = Math.floor(row / rows);
        const last = Math.min((slice + 1) * rows, Math.ceil(end / columns));
        out.push({ slice, row0: row - slice * rows, row1: last - slice * rows });
        row = last;
      }
    }
  }
  return out;
}
