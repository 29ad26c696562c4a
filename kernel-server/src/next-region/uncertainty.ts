/**
 * The uncertainty of a session's classifier at each pixel: 1 − (p₁ − p₂) or 1 − p₁, where p₁ and p₂ are the highest and second highest probability
 * (Settles, Active Learning Literature Survey, 2009, section 3.1: margin sampling, least confident sampling); or the probability of one class.
 *
 * Only requested tiles are computed, block by block through scratch arrays, so images of any size work. Recent tiles are cached.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { BridgeError } from '../../../src/shared/errors';
import { LABEL_TILE } from '../../../src/shared/limits';
import { Lru } from '../../../src/shared/lru';
import { ArrayDescriptor, UncertaintyMeasure } from '../../../src/shared/protocol';
import { Rect, SliceRect } from '../../../src/shared/rect';
import { clearOutside, cutTo, OptionalRegion, regionKey } from '../../../src/shared/region';
import { ArrayStore } from '../arrays/array-store';
import type { ClassifierJobs } from '../learning/classifier-jobs';
import { breathe } from '../base/files';
import { IJobContext } from '../jobs/job-context';
import { IEngineService, IImageMaps } from '../jobs/services';
import { padded, TileRefs } from '../session/overlays';
import { expectInside } from '../session/reduced-overlays';
import { Session } from '../session/session';
import { TileFile } from '../arrays/tile-file';

/** What is computed of each pixel: a measure of uncertainty, the probability of a class, or those of all classes. */
export type PixelMeasure = UncertaintyMeasure | 'probabilities' | { classId: number };
/** Most cached tiles: 64 MiB. */
const TILES_MAX = 1024;
/** Side of the blocks from which a tile of a level is computed. */
const MEANS_BLOCK = 512;
/** Bytes of a scratch array that are filled at once. */
const BLOCK_BYTES = 64 << 20;

/** The parts that compute uncertainty. */
export interface IUncertaintyOptions {
  engine: IEngineService;
  store: ArrayStore;
  /** Gives the classifiers of sessions and their maps. */
  classifiers: Pick<ClassifierJobs, 'of' | 'embeddingOf'>;
}

/** A session's classifier at the time of the request. */
export interface IUnsure {
  classifier: Uint8Array;
  image: ArrayDescriptor;
  measure: PixelMeasure;
  /** The session's array of probabilities or uncertainty, if there is one. */
  held: ArrayDescriptor | undefined;
  /** The key of the cache: it differs for each classifier, image and measure. */
  key: string;
  embedding: IImageMaps | undefined;
  /** The part of the image that is worked on; outside, nothing is computed. */
  region: OptionalRegion;
}

export class Uncertainty {
  constructor(private readonly _options: IUncertaintyOptions) {}

  /**
   * The classifier of a session. Throws BridgeError `not-ready` if there is no classifier, `invalid` if it does not know the class of
   * `measure`.
   */
  async of(session: Session, measure: PixelMeasure): Promise<IUnsure> {
    const { image } = session;
    const { classifiers } = this._options;
    const { json: classifier } = await classifiers.of(session);
    if (typeof measure === 'object') {
      columnOf(this._classIds(classifier), measure.classId);
    }
    const embedding = await classifiers.embeddingOf(session, classifier);
    const held = session.array(arrayOf(measure));
    const { region } = session.record;
    const from = held
      ? `${held.path} ${held.version}`
      : `${session.record.image.digest} ${createHash('sha256').update(classifier).digest('hex')}`;
    return {
      classifier,
      image,
      measure,
      held,
      key: `${from} ${regionKey(region)} ${typeof measure === 'object' ? measure.classId : measure}`,
      embedding,
      region
    };
  }

  /** Tiles of {@link LABEL_TILE} pixels as bytes: 0 is 0, 255 is 1. At a level, a pixel is the mean of the pixels of the slice that it covers. */
  async tiles(
    session: Session,
    request: { slice: number; measure: PixelMeasure; level?: number | undefined; tiles: TileRefs },
    signal: AbortSignal
  ): Promise<Uint8Array[]> {
    const { slice, measure, level = 0, tiles } = request;
    const [, rows, columns] = session.record.image.shape;
    session.checkSlice(slice);
    expectInside({ rows, columns }, level, tiles);
    const unsure = await this.of(session, measure);
    if (level > 0) {
      const out: Uint8Array[] = [];
      for (const tile of tiles) {
        const key = `${unsure.key} ${slice} ${tile.row} ${tile.column} ${level}`;
        const found = this._tiles.get(key) ?? (await this._means(session, unsure, { slice, level, tile }, signal));
        this._tiles.set(key, found);
        out.push(found);
      }
      return out;
    }
    const keyOf = ({ row, column }: TileRefs[number]) => `${unsure.key} ${slice} ${row} ${column}`;
    const out = new Map(tiles.map(tile => [keyOf(tile), this._tiles.get(keyOf(tile))]));
    const missing = tiles.filter(tile => !out.get(keyOf(tile)));
    if (missing.length > 0) {
      const blocks = runsOf(missing).map(run => blockOf(session, run));
      const context: IJobContext = { signal, progress: () => undefined };
      await this._compute(session, unsure, slice, blocks, context, async read => {
        for (const tile of missing) {
          const block = blockOf(session, { ...tile, columns: 1 });
          out.set(keyOf(tile), bytesOf(read(block), { slice, ...block }, unsure.region));
          await breathe();
        }
      });
    }
    return tiles.map(tile => {
      const found = out.get(keyOf(tile))!;
      this._tiles.set(keyOf(tile), found);
      return found;
    });
  }

  /** Pass a slice's uncertainty to a callback in blocks, each pixel once. */
  async each(
    session: Session,
    unsure: IUnsure,
    slice: number,
    context: IJobContext,
    use: (block: Rect, values: Float32Array) => void
  ): Promise<void> {
    const [, rows, columns] = session.record.image.shape;
    const { engine } = this._options;
    const depth = unsure.measure === 'margin' ? 1 : engine.classesOf(unsure.classifier).length;
    const side = Math.max(1, Math.floor(Math.sqrt(BLOCK_BYTES / 4 / depth) / LABEL_TILE)) * LABEL_TILE;
    const blocks = blocksOf(rows, columns, side).flatMap(block => cutTo(unsure.region, { slice, ...block }) ?? []);
    for (const [i, block] of blocks.entries()) {
      context.signal.throwIfAborted();
      const part: IJobContext = {
        signal: context.signal,
        progress: (stage, done, total, message) =>
          context.progress(stage, i + (total > 0 ? done / total : 0), blocks.length, message)
      };
      await this._compute(session, unsure, slice, [block], part, async read => {
        for (const band of bandsOf(block)) {
          use(band, read(band));
          await breathe();
        }
      });
    }
  }

  /** The probabilities of a block of a slice: rows × columns × classes, in the classifier's order. */
  async probabilities(
    session: Session,
    unsure: IUnsure,
    { slice, ...block }: SliceRect,
    context: IJobContext
  ): Promise<Float32Array> {
    let found: Float32Array = new Float32Array();
    await this._compute(session, unsure, slice, [block], context, async read => {
      found = read(block);
      return Promise.resolve();
    });
    return found;
  }

  /** A tile of a level. It is computed block by block, so that its memory does not grow with the level. */
  private async _means(
    session: Session,
    unsure: IUnsure,
    { slice, level, tile }: { slice: number; level: number; tile: TileRefs[number] },
    signal: AbortSignal
  ): Promise<Uint8Array> {
    const [, rows, columns] = session.record.image.shape;
    const by = 2 ** level;
    const side = LABEL_TILE * by;
    const [top, left] = [tile.row * side, tile.column * side];
    const sums = new Float64Array(LABEL_TILE * LABEL_TILE);
    const context: IJobContext = { signal, progress: () => undefined };
    const blocks = blocksOf(Math.min(side, rows - top), Math.min(side, columns - left), MEANS_BLOCK);
    for (const { row0, row1, column0, column1 } of blocks) {
      signal.throwIfAborted();
      const all = { slice, row0: top + row0, row1: top + row1, column0: left + column0, column1: left + column1 };
      const block = cutTo(unsure.region, all);
      if (!block) {
        continue;
      }
      await this._compute(session, unsure, slice, [block], context, async read => {
        for (const band of bandsOf(block)) {
          addUp(read(band), band, { top, left, level }, sums);
          await breathe();
        }
      });
    }
    const weight = (first: number, total: number) => Math.min(by, total - first);
    return Uint8Array.from(sums, (sum, i) => {
      const row = top + Math.floor(i / LABEL_TILE) * by;
      const column = left + (i % LABEL_TILE) * by;
      const inside = row < rows && column < columns;
      return inside ? byteOf(sum / (weight(row, rows) * weight(column, columns))) : 0;
    });
  }

  /** Make some blocks of a slice readable: in the session's array, or in a scratch array that is removed afterwards. */
  private async _compute(
    session: Session,
    unsure: IUnsure,
    slice: number,
    blocks: readonly Rect[],
    context: IJobContext,
    use: (read: (block: Rect) => Float32Array) => Promise<void>
  ): Promise<void> {
    const { classifier, image, measure, held, embedding, region: within } = unsure;
    const reading = async (array: ArrayDescriptor) => {
      const file = new TileFile(array, 'r');
      try {
        await use(block => {
          const values = file.read({ slice, ...block }) as Float32Array;
          if (measure === 'margin' || measure === 'probabilities') {
            return values;
          }
          return measure === 'maximum'
            ? leastConfident(values, file.channels)
            : channelOf(values, file.channels, columnOf(this._classIds(classifier), measure.classId));
        });
      } finally {
        file.close();
      }
    };
    if (held && existsSync(held.path)) {
      return reading(held);
    }
    const { engine, store } = this._options;
    const shape = image.shape.slice(0, 3);
    const size = measure === 'margin' ? shape : [...shape, engine.classesOf(classifier).length];
    // Sparse: only the blocks of the file that are written take room.
    const scratch = await store.allocate(session.arraysFolder, 'scratch', 'float32', size, true);
    try {
      const out = { [arrayOf(measure)]: scratch };
      const cacheKey = session.record.image.digest;
      const shares = blocks.map(() => 0);
      const applying = blocks.map(async (region, i) =>
        engine.apply(
          { classifier, image, slice, out, cacheKey, region, within, ...(embedding && { embedding }) },
          {
            signal: context.signal,
            urgency: context.urgency,
            progress: (stage, done, total, message) => {
              shares[i] = total > 0 ? done / total : 0;
              const sum = shares.reduce((all, share) => all + share, 0);
              context.progress(stage, sum, blocks.length, message);
            }
          }
        )
      );
      // Wait until all have ended, even by an error, before the file is removed.
      const failed = (await Promise.allSettled(applying)).find(result => result.status === 'rejected');
      if (failed) {
        throw failed.reason;
      }
      context.signal.throwIfAborted();
      await reading(scratch);
    } finally {
      await store.remove(scratch);
    }
  }

  private _classIds(classifier: Uint8Array): number[] {
    return this._options.engine.classesOf(classifier).map(({ id }) => id);
  }

  private readonly _tiles = new Lru<string, Uint8Array>({ limit: TILES_MAX });
}

/** The array that a measure is read from. */
function arrayOf(measure: PixelMeasure): 'uncertainty' | 'probabilities' {
  return measure === 'margin' ? 'uncertainty' : 'probabilities';
}

/** Where a class is among those of the probabilities. */
function columnOf(ids: readonly number[], classId: number): number {
  const column = ids.indexOf(classId);
  if (column < 0) {
    throw new BridgeError(
      'invalid',
      `The classifier does not know class ${classId}; its classes are ${ids.join(', ')}. Train with labels of the class first.`
    );
  }
  return column;
}

/** Tiles of one row beside each other. */
interface IRun {
  row: number;
  column: number;
  columns: number;
}

function runsOf(tiles: readonly { row: number; column: number }[]): IRun[] {
  const runs: IRun[] = [];
  for (const { row, column } of [...tiles].sort((a, b) => a.row - b.row || a.column - b.column)) {
    const last = runs.at(-1);
    if (last?.row === row && column <= last.column + last.columns) {
      last.columns = column - last.column + 1;
    } else {
      runs.push({ row, column, columns: 1 });
    }
  }
  return runs;
}

function blockOf(session: Session, run: IRun): Rect {
  const [, rows, columns] = session.record.image.shape;
  return {
    row0: run.row * LABEL_TILE,
    row1: Math.min(rows, (run.row + 1) * LABEL_TILE),
    column0: run.column * LABEL_TILE,
    column1: Math.min(columns, (run.column + run.columns) * LABEL_TILE)
  };
}

function blocksOf(rows: number, columns: number, side: number): Rect[] {
  const blocks: Rect[] = [];
  for (let row0 = 0; row0 < rows; row0 += side) {
    for (let column0 = 0; column0 < columns; column0 += side) {
      blocks.push({
        row0,
        row1: Math.min(rows, row0 + side),
        column0,
        column1: Math.min(columns, column0 + side)
      });
    }
  }
  return blocks;
}

/** The rows of a block, a tile's height at a time. */
function bandsOf({ row0, row1, column0, column1 }: Rect): Rect[] {
  const bands: Rect[] = [];
  for (let row = row0; row < row1; row += LABEL_TILE) {
    bands.push({ row0: row, row1: Math.min(row1, row + LABEL_TILE), column0, column1 });
  }
  return bands;
}

/** 1 − the highest of `classes` probabilities, for each pixel. */
function leastConfident(probabilities: Float32Array, classes: number): Float32Array {
  const out = new Float32Array(probabilities.length / classes);
  for (let i = 0, at = 0; i < out.length; i++) {
    let highest = 0;
    for (let c = 0; c < classes; c++, at++) {
      highest = Math.max(highest, probabilities[at]!);
    }
    out[i] = 1 - highest;
  }
  return out;
}

/** One of `channels` values, for each pixel. */
function channelOf(values: Float32Array, channels: number, channel: number): Float32Array {
  return Float32Array.from({ length: values.length / channels }, (_, i) => values[i * channels + channel]!);
}

/** A whole tile of bytes, 0 outside the image and the region. */
function bytesOf(values: Float32Array, rect: SliceRect, region: OptionalRegion): Uint8Array {
  const bytes = Uint8Array.from(values, byteOf);
  clearOutside(bytes, rect, region);
  return padded(bytes, rect.column1 - rect.column0);
}

function byteOf(value: number): number {
  return Math.round(255 * Math.min(1, Math.max(0, value)));
}

/** Add a band's values to the sums of a tile whose first pixel is at `top`, `left`. */
function addUp(
  values: Float32Array,
  { row0, row1, column0, column1 }: Rect,
  { top, left, level }: { top: number; left: number; level: number },
  sums: Float64Array
): void {
  for (let row = row0, at = 0; row < row1; row++) {
    const line = ((row - top) >> level) * LABEL_TILE;
    for (let column = column0; column < column1; column++, at++) {
      sums[line + ((column - left) >> level)]! += values[at]!;
    }
  }
}
