/** Finds objects like an example in the slices of a session: for Python all of them as an array of numbers, for the widget window by window. */
import { randomBytes } from 'node:crypto';
import { BridgeError } from '../../../src/shared/errors';
import { LABEL_TILE } from '../../../src/shared/limits';
import { DecoderManifest } from '../../../src/shared/models';
import { Params } from '../../../src/shared/protocol';
import { moved, Rect } from '../../../src/shared/rect';
import { rectOf } from '../../../src/shared/region';
import {
  chooseScale,
  ILikeness,
  IProposal,
  IPrompts,
  inImage,
  isCut,
  likenessOf,
  IPackedPart,
  maskIn,
  packPart,
  PLAIN_SHAPE,
  sameObject,
  sampleGreys,
  shapedPixels,
  SimilarWindows,
  windowAround
} from '../../../src/sam';
import { breathe } from '../base/files';
import { IJobContext } from '../jobs/job-context';
import { IPromptServices, ISamService } from '../jobs/services';
import { Jobs } from '../jobs/jobs';
import { Session } from '../session/session';
import { ICall } from '../transport/dispatcher';
import { withGreys } from './image-greys';
import { SliceEmbeddings } from './slice-embeddings';

/** Most objects that an array of uint16 can number. */
const OBJECTS_MAX = 0xffff;
/** Of two objects that share more than this part of the later one, the later one is left out. */
const SHARED_MAX = 0.3;

/** An object in a window of a slice, in pixels of the image. */
export interface IFoundObject {
  /** A pixel inside. */
  point: { row: number; column: number };
  rect: Rect;
  /** Its pixels in the rectangle, 0 and 1. */
  mask: Uint8Array;
  /** The window. */
  seen: Rect;
  /** Its logits as SAM gave them. */
  part: IPackedPart;
}

/** A mask on a slice, as the decoder gave it that saw the rows and columns `within` alone. */
interface IExample {
  slice: number;
  /** A pixel inside, of the image. */
  point: { row: number; column: number };
  within: Rect;
  lowRes: Float32Array;
}

/** What is looked for, and where. */
interface ISearch {
  windows: SimilarWindows;
  like: ILikeness;
  /** The example in {@link SimilarWindows.example}. */
  lowRes: Float32Array;
  /** The similarities of the objects that were found, by slice and window. */
  known: Map<string, number[]>;
}

/** An object of an array. */
interface INumbered {
  id: number;
  rect: Rect;
  mask: Uint8Array;
}

export class SimilarFinder {
  constructor(private readonly _options: SimilarFinder.IOptions) {}

  /**
   * The object at a point and those like it, with the slice's or stack's pixels in bytes of uint16, slice by slice.
   *
   * @throws BridgeError `invalid` for a slice or point outside, without an object at the point, or for more than 65,535 objects
   */
  async everywhere(
    session: Session,
    { slice, point, scale, where }: Params<'sam.similar'>,
    call: ICall
  ): Promise<{ objects: Iterable<Uint8Array>; shape: number[]; scores: number[]; similarities: number[] }> {
    session.checkSlice(slice);
    const seen = seenBy(session);
    checkPoint(point, seen);
    const { id, record } = session;
    const sam = await this._samOf(session);
    const slices = where === 'stack' ? record.image.shape[0] : 1;
    const [, rows, columns] = record.image.shape;
    const numbered = Array.from({ length: slices }, (): INumbered[] => []);
    const scores: number[] = [];
    const similarities: number[] = [];
    const description = { key: `similar/${id}/${call.id}`, id: call.id, session: id, kind: 'similar' as const };
    await this._options.jobs.run(description, call.signal, async context => {
      const { score, ...example } = await this._exampleAt(sam, session, slice, point, scale, where, context);
      const search = await this._search(sam, session, example, where === 'overview', context);
      if (!search) {
        throw new BridgeError(
          'invalid',
          `SAM does not see the object at (${point.row}, ${point.column}) in windows of its size; choose where 'overview', another pixel or scale.`
        );
      }
      const { windows } = search;
      const order = where === 'stack' ? outward(session, slice) : [slice];
      const total = order.length * windows.all.length;
      let done = 0;
      for (const each of order) {
        const covered = new Uint8Array(rows * columns);
        const on = numbered[where === 'stack' ? each : 0]!;
        const add = (lowRes: Float32Array, within: Rect, quality: number, similarity: number) => {
          const rect = inImage(lowRes, within, sam.manifest);
          const mask = maskIn(lowRes, within, rect, sam.manifest);
          if (isCovered(covered, mask, rect, columns)) {
            return;
          }
          if (scores.push(quality) > OBJECTS_MAX) {
            throw new BridgeError('invalid', 'There are more than 65,535 objects; choose a region, or a slice alone.');
          }
          similarities.push(similarity);
          on.push({ id: scores.length, rect, mask });
        };
        if (each === slice) {
          add(search.lowRes, windows.example, score, 1);
        }
        for (const window of windows.all) {
          const inner: IJobContext = {
            signal: context.signal,
            progress: (stage, part, parts) => total === 1 && context.progress(stage, part, parts)
          };
          if (total > 1) {
            context.progress('windows', done, total);
          }
          const found = await this._in(sam, session, each, window, search, each === slice, inner);
          found.forEach(object => add(object.lowRes, window, object.score, object.similarity));
          done++;
        }
      }
    });
    const objects = (function* () {
      for (const on of numbered) {
        yield painted(on, rows, columns);
      }
    })();
    return { objects, shape: [slices, rows, columns], scores, similarities };
  }

  /**
   * Objects without a label that are like an example, in one of the windows that {@link SimilarWindows} lays over a slice, in the given shape.
   *
   * @param logits of the example
   * @returns the number of windows, 0 if SAM does not see the example in windows of its size
   * @throws BridgeError `invalid` for an example without a pixel or outside of what SAM sees, or a window that there is not
   */
  async inWindow(
    session: Session,
    { slice, window: index, example, shape }: Params<'sam.similar-window'>,
    logits: Float32Array,
    call: ICall
  ): Promise<{ windows: number; found: IFoundObject[] }> {
    [slice, example.slice].forEach(each => session.checkSlice(each));
    const sam = await this._samOf(session);
    const { maskSize } = sam.manifest.decoder;
    if (logits.length !== maskSize ** 2 || !logits.some(logit => logit > 0)) {
      throw new BridgeError(
        'invalid',
        `The example has ${logits.length} logits, of which ${logits.filter(logit => logit > 0).length} are above 0; ` +
          `${maskSize} × ${maskSize} will do, some of them above 0.`
      );
    }
    checkPoint(example.point, example.within);
    const context: IJobContext = { signal: call.signal, progress: () => undefined };
    const search = await this._known(sam, session, { ...example, lowRes: logits }, context);
    if (!search) {
      return { windows: 0, found: [] };
    }
    const windows = search.windows.all;
    const window = windows[index];
    if (!window) {
      throw new BridgeError('invalid', `There is no window ${index}; the slice has ${windows.length}, counted from 0.`);
    }
    const proposals = await this._in(sam, session, slice, window, search, slice === example.slice, context);
    const [, rows, columns] = session.record.image.shape;
    const found: IFoundObject[] = [];
    for (const { lowRes, point: local } of proposals) {
      const point = { row: Math.round(local.row) + window.row0, column: Math.round(local.column) + window.column0 };
      if (!isLabelled(session, slice, point)) {
        const drawn = { logits: lowRes, seen: window, points: [point] };
        const { rect, mask } = withGreys(session, read =>
          shapedPixels(drawn, shape ?? PLAIN_SHAPE, { rows, columns }, sam.manifest, rect => read({ slice, ...rect }))
        );
        found.push({ point, rect, mask, seen: window, part: packPart(lowRes, maskSize) });
        await breathe();
        context.signal.throwIfAborted();
      }
    }
    return { windows: windows.length, found };
  }

  /** {@link _search} for an example, done once for all of its windows. */
  private async _known(
    sam: ISamService,
    session: Session,
    example: IExample,
    context: IJobContext
  ): Promise<ISearch | null> {
    const { slice, point, within, lowRes } = example;
    const key = JSON.stringify([session.promptGeneration, slice, point, within, lowRes.reduce((a, b) => a + b, 0)]);
    const last = this._last.get(session);
    if (last?.key === key) {
      return last.search;
    }
    const search = await this._search(sam, session, example, false, context);
    this._last.set(session, { key, search });
    return search;
  }

  /** The object at a point, seen in its surroundings at the encoder's resolution; in larger ones if it is large. */
  private async _exampleAt(
    sam: ISamService,
    session: Session,
    slice: number,
    point: { row: number; column: number },
    scale: number | undefined,
    where: Params<'sam.similar'>['where'],
    context: IJobContext
  ): Promise<IExample & { score: number }> {
    const { manifest } = sam;
    const seen = seenBy(session);
    const longest = Math.max(seen.row1 - seen.row0, seen.column1 - seen.column0);
    for (let side = where === 'overview' ? longest : manifest.encoder.size; ; side *= 2) {
      const within = side < longest ? windowAround(seen, side, Math.round(point.row), Math.round(point.column)) : seen;
      const at = { row: point.row - within.row0, column: point.column - within.column0 };
      const candidates = await this._decode(sam, session, slice, within, { points: [{ ...at, label: 1 }] }, context);
      const auto = chooseScale(candidates, { at, size: sizeOf(within), manifest });
      const chosen = scale ?? auto.scale;
      const lowRes = candidates.lowRes[chosen]!;
      const isSmall = scale !== undefined || !auto.isTooLarge;
      if (side >= longest || (isSmall && !isCut(inImage(lowRes, within, manifest), within, seen))) {
        if (!lowRes.some(logit => logit > 0)) {
          throw new BridgeError(
            'invalid',
            `SAM finds no object at (${point.row}, ${point.column}); choose a pixel inside of one, or another scale.`
          );
        }
        return { slice, point, within, lowRes, score: candidates.scores[chosen]! };
      }
    }
  }

  /** Prepare the search for an example; null if SAM does not see it in the windows of its size. `whole`: the whole slice is the only window. */
  private async _search(
    sam: ISamService,
    session: Session,
    { slice, point, within, lowRes: given }: IExample,
    whole: boolean,
    context: IJobContext
  ): Promise<ISearch | null> {
    const { manifest } = sam;
    const seen = seenBy(session);
    const windows = new SimilarWindows(seen, whole ? seen : inImage(given, within, manifest));
    const { example } = windows;
    let lowRes: Float32Array | null = given;
    if (JSON.stringify(Object.values(example)) !== JSON.stringify(Object.values(within))) {
      const at = { row: point.row - example.row0, column: point.column - example.column0, label: 1 as const };
      const box = moved(inImage(given, within, manifest), -example.row0, -example.column0);
      lowRes = null;
      // The example may have had more prompts than a point.
      for (const prompts of [{ points: [at] }, { points: [at], box }]) {
        if (!lowRes) {
          const candidates = await this._decode(sam, session, slice, example, prompts, context);
          lowRes = sameObject(given, within, candidates, example, manifest);
        }
      }
    }
    if (!lowRes) {
      return null;
    }
    const embedding = await this._embedding(session, slice, example, context);
    const greys = greysOf(session, slice, example, manifest);
    const like = likenessOf(embedding, sizeOf(example), lowRes, manifest, greys);
    return { windows, like, lowRes, known: new Map() };
  }

  /** The objects that belong to a window. `hasExample`: the example is on this slice, and is none of them. */
  private async _in(
    sam: ISamService,
    session: Session,
    slice: number,
    window: Rect,
    { windows, like, lowRes, known }: ISearch,
    hasExample: boolean,
    context: IJobContext
  ): Promise<IProposal[]> {
    context.signal.throwIfAborted();
    const { manifest } = sam;
    const embedding = await this._embedding(session, slice, window, context);
    const place = JSON.stringify([slice, window]);
    known.delete(place);
    const query = {
      like,
      greys: greysOf(session, slice, window, manifest),
      isPart: windows.side !== null || !hasExample,
      known: [...known.values()].flat(),
      where: moved(windows.core(window), -window.row0, -window.column0),
      taken: hasExample && windows.side === null ? [lowRes] : []
    };
    const found = await sam.similar(embedding, sizeOf(window), query, context);
    const rect = inImage(lowRes, windows.example, manifest);
    const own = maskIn(lowRes, windows.example, rect, manifest);
    const belonging = found.filter(
      each =>
        windows.belongs(inImage(each.lowRes, window, manifest), window) &&
        !(hasExample && shares(maskIn(each.lowRes, window, rect, manifest), own, each.lowRes, window, manifest))
    );
    known.set(
      place,
      belonging.map(({ similarity }) => similarity)
    );
    return belonging;
  }

  /** Decode prompts on a window of a slice, in rows and columns of the window. */
  private async _decode(
    sam: ISamService,
    session: Session,
    slice: number,
    window: Rect,
    prompts: IPrompts,
    context: IJobContext
  ) {
    const embedding = await this._embedding(session, slice, window, context);
    const quiet: IJobContext = { signal: context.signal, progress: () => undefined };
    return sam.decode(embedding, sizeOf(window), prompts, quiet);
  }

  private async _embedding(session: Session, slice: number, window: Rect, context: IJobContext): Promise<Float32Array> {
    const { embeddings } = this._options;
    const call = { id: randomBytes(8).toString('hex'), signal: context.signal, urgency: 'ahead' as const };
    const all = seenBy(session);
    const isAll = Object.entries(all).every(([name, value]) => window[name as keyof Rect] === value);
    const { embedding } = await (isAll
      ? embeddings.whole(session, slice, call)
      : embeddings.window(session, slice, window, call));
    return embedding;
  }

  /** The service of the model that suggests in a session. */
  private async _samOf(session: Session): Promise<ISamService> {
    return (await this._options.models?.of(session)) ?? this._options.sam;
  }

  /** The search in each session's windows that was prepared last. */
  private readonly _last = new WeakMap<Session, { key: string; search: ISearch | null }>();
}

/** The namespace for {@link SimilarFinder}. */
export namespace SimilarFinder {
  export interface IOptions {
    sam: ISamService;
    /** The models that suggest; undefined: `sam` alone. */
    models?: IPromptServices | undefined;
    jobs: Jobs;
    embeddings: SliceEmbeddings;
  }
}

/** The greys of a window of a slice, the mean of channels, at the samples of masks. */
function greysOf(session: Session, slice: number, window: Rect, manifest: DecoderManifest): Float32Array {
  return withGreys(session, read =>
    sampleGreys(sizeOf(window), manifest, rect => read({ slice, ...moved(rect, window.row0, window.column0) }))
  )!;
}

/** The slices of what is worked on, those nearest to one first. */
function outward({ record }: Session, slice: number): number[] {
  const { slice0, slice1 } = record.region ?? { slice0: 0, slice1: record.image.shape[0] };
  const slices = Array.from({ length: slice1 - slice0 }, (_, i) => slice0 + i);
  return slices.sort((a, b) => Math.abs(a - slice) - Math.abs(b - slice));
}

function isLabelled({ labels }: Session, slice: number, { row, column }: { row: number; column: number }): boolean {
  const [y, x] = [Math.floor(row / LABEL_TILE), Math.floor(column / LABEL_TILE)];
  const width = Math.min(LABEL_TILE, labels.array.shape[2]! - x * LABEL_TILE);
  return labels.readTile(slice, y, x)[(row % LABEL_TILE) * width + (column % LABEL_TILE)] !== 0;
}

/** Whether much of a mask is covered by others; if not, it is covered from now on. */
function isCovered(covered: Uint8Array, mask: Uint8Array, rect: Rect, columns: number): boolean {
  let [all, both] = [0, 0];
  each(mask, rect, columns, pixel => {
    all++;
    both += covered[pixel]!;
  });
  if (all === 0 || both > SHARED_MAX * all) {
    return true;
  }
  each(mask, rect, columns, pixel => (covered[pixel] = 1));
  return false;
}

/** Whether an object shares much with the example: `part` and `own` are their pixels in the example's rectangle. */
function shares(
  part: Uint8Array,
  own: Uint8Array,
  lowRes: Float32Array,
  window: Rect,
  manifest: DecoderManifest
): boolean {
  const both = part.reduce((sum, inside, i) => sum + (inside & own[i]!), 0);
  if (both === 0) {
    return false;
  }
  const count = (mask: Uint8Array) => mask.reduce((sum, inside) => sum + inside, 0);
  const area = count(maskIn(lowRes, window, inImage(lowRes, window, manifest), manifest));
  return both > SHARED_MAX * Math.min(area, count(own));
}

/** The numbers of objects in an image's pixels, as bytes of uint16. The first of two has the pixels of both. */
function painted(objects: readonly INumbered[], rows: number, columns: number): Uint8Array {
  const numbers = new Uint16Array(rows * columns);
  for (const { id, rect, mask } of objects) {
    each(mask, rect, columns, pixel => (numbers[pixel] ||= id));
  }
  return new Uint8Array(numbers.buffer);
}

/** Call `visit` with each pixel of a mask, row · columns + column. */
function each(mask: Uint8Array, rect: Rect, columns: number, visit: (pixel: number) => void): void {
  const width = rect.column1 - rect.column0;
  mask.forEach((inside, i) => {
    if (inside) {
      visit((rect.row0 + Math.floor(i / width)) * columns + rect.column0 + (i % width));
    }
  });
}

function checkPoint({ row, column }: { row: number; column: number }, part: Rect): void {
  const { row0, row1, column0, column1 } = part;
  if (!(row >= row0 - 0.5 && row < row1 && column >= column0 - 0.5 && column < column1)) {
    throw new BridgeError(
      'invalid',
      `The point (${row}, ${column}) is outside of what SAM sees, rows ${row0} to ${row1} and columns ${column0} to ${column1}.`
    );
  }
}

/** The rows and columns that SAM sees of a session's slices. */
function seenBy({ record }: Session): Rect {
  return rectOf(record.region, record.image.shape);
}

function sizeOf({ row0, row1, column0, column1 }: Rect) {
  return { rows: row1 - row0, columns: column1 - column0 };
}
