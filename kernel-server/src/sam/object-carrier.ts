/** Carries an object through the slices of a session's stack: for Python as masks, for the widget as labels, in one step that can be undone. */
import { randomBytes } from 'node:crypto';
import { BridgeError } from '../../../src/shared/errors';
import { DecoderManifest } from '../../../src/shared/models';
import { CarryEnd, CarryEnds, MadeBy, Params, Result } from '../../../src/shared/protocol';
import { Rect } from '../../../src/shared/rect';
import { rectOf } from '../../../src/shared/region';
import { replaceTable } from '../../../src/shared/replaces';
import {
  carried,
  chooseScale,
  followed,
  ICandidates,
  IObjectShape,
  IPrompts,
  ISeenMask,
  PLAIN_SHAPE,
  shapedPixels
} from '../../../src/sam';
import { TileFile } from '../arrays/tile-file';
import { breathe } from '../base/files';
import { IJobContext } from '../jobs/job-context';
import { IPromptServices, ISamService } from '../jobs/services';
import { Jobs } from '../jobs/jobs';
import { EditRecorder } from '../session/edit';
import { IMoved } from '../session/journalled-labels';
import { Session } from '../session/session';
import { ICall } from '../transport/dispatcher';
import { withGreys } from './image-greys';
import { SliceEmbeddings } from './slice-embeddings';

const MADE: MadeBy = { provenance: 'sam', tool: 'carry' };

/** An object on a slice. */
interface IOnSlice extends ISeenMask {
  slice: number;
  /** The quality that SAM predicts. */
  score: number;
}

/** An object on its slices, in their order. */
interface IFollowed {
  found: IOnSlice[];
  ends: CarryEnds;
}

/** The pixels of a mask, 0 and 1, in a rectangle of the image. */
export interface IPixels {
  rect: Rect;
  mask: Uint8Array;
}

export class ObjectCarrier {
  constructor(private readonly _options: ObjectCarrier.IOptions) {}

  /** The object at a point on its slice and on those before and after, until it fades: a mask of the image for each, uint8 0 and 1. */
  async masks(
    session: Session,
    { slice, point, scale, reach = Infinity }: Params<'sam.carry'>,
    call: ICall
  ): Promise<{ masks: Uint8Array[]; shape: number[]; first: number; scores: number[]; ends: CarryEnds }> {
    session.checkSlice(slice);
    const sam = await this._samOf(session);
    const { manifest } = sam;
    const [, rows, columns] = session.record.image.shape;
    const seen = seenBy(session);
    const local = { row: point.row - seen.row0, column: point.column - seen.column0 };
    const size = sizeOf(seen);
    if (!(local.row >= -0.5 && local.row < size.rows && local.column >= -0.5 && local.column < size.columns)) {
      throw new BridgeError(
        'invalid',
        `The point (${point.row}, ${point.column}) is outside of what SAM sees, rows ${seen.row0} to ${seen.row1} and columns ${seen.column0} to ${seen.column1}.`
      );
    }
    return this._job(session, call, async context => {
      const candidates = await this._decode(sam, session, slice, seen, { points: [{ ...local, label: 1 }] }, context);
      const chosen = scale ?? chooseScale(candidates, { at: local, size, manifest }).scale;
      const start = { slice, seen, lowRes: candidates.lowRes[chosen]!, score: candidates.scores[chosen]! };
      if (!start.lowRes.some(logit => logit > 0)) {
        throw new BridgeError(
          'invalid',
          `SAM finds no object at (${point.row}, ${point.column}); choose another pixel or scale.`
        );
      }
      const { found, ends } = await this._follow(sam, session, start, reach, context);
      const masks = found.map(each => {
        const { rect, mask } = pixelsOf(session, each, manifest, PLAIN_SHAPE);
        const out = new Uint8Array(rows * columns);
        const width = rect.column1 - rect.column0;
        for (let row = rect.row0; row < rect.row1; row++) {
          const from = (row - rect.row0) * width;
          out.set(mask.subarray(from, from + width), row * columns + rect.column0);
        }
        return out;
      });
      return {
        masks,
        shape: [masks.length, rows, columns],
        first: found[0]!.slice,
        scores: found.map(({ score }) => score),
        ends
      };
    });
  }

  /**
   * Label an object on the slices before and after, until it fades.
   *
   * @param logits of its mask on the slice
   * @param shown its pixels there, which become labels as they are; absent: they are made of the logits
   * @throws BridgeError `invalid` for a mask that is empty or of another size, or a window outside of what SAM sees
   */
  async label(
    session: Session,
    params: Params<'labels.carry'>,
    logits: Float32Array,
    shown: IPixels | null,
    call: ICall
  ): Promise<IMoved & Omit<Result<'labels.carry'>, 'version' | 'changed'>> {
    const { slice, within, itself, shape = PLAIN_SHAPE } = params;
    session.checkSlice(slice);
    const sam = await this._samOf(session);
    const { manifest } = sam;
    const { maskSize } = manifest.decoder;
    if (logits.length !== maskSize ** 2 || !logits.some(logit => logit > 0)) {
      throw new BridgeError(
        'invalid',
        `The mask has ${logits.length} logits, of which ${logits.filter(logit => logit > 0).length} are above 0; ` +
          `${maskSize} × ${maskSize} will do, some of them above 0.`
      );
    }
    const seen = seenBy(session);
    if (
      within.row0 < seen.row0 ||
      within.column0 < seen.column0 ||
      within.row1 > seen.row1 ||
      within.column1 > seen.column1
    ) {
      throw new BridgeError(
        'invalid',
        `The mask is of ${rectText(within)}; it must be of a part of what SAM sees, ${rectText(seen)}.`
      );
    }
    return this._job(session, call, async context => {
      const start = { slice, seen: within, lowRes: logits, score: 1 };
      const { found, ends } = await this._follow(sam, session, start, Infinity, context);
      context.signal.throwIfAborted();
      const moved = await session.labels.edit(call.id, MADE, async ({ labels }, recorder) => {
        for (const each of found) {
          if (each !== start || itself) {
            // The logits that were sent have their shape.
            const wanted = each === start ? { ...PLAIN_SHAPE, grow: shape.grow } : shape;
            const own = each === start ? shown : null;
            paint(labels, recorder, each.slice, own ?? pixelsOf(session, each, manifest, wanted), params);
            await recorder.settle();
            await breathe();
          }
        }
      });
      return { ...moved, first: found[0]!.slice, last: found[found.length - 1]!.slice, ends };
    });
  }

  /** The service of the model that suggests in a session. */
  private async _samOf(session: Session): Promise<ISamService> {
    return (await this._options.models?.of(session)) ?? this._options.sam;
  }

  private _job<T>(session: Session, call: ICall, work: (context: IJobContext) => Promise<T>): Promise<T> {
    const { id } = session;
    const description = { key: `carry/${id}/${call.id}`, id: call.id, session: id, kind: 'carry' as const };
    return this._options.jobs.run(description, call.signal, work);
  }

  /** The object on its slices, in their order. */
  private async _follow(
    sam: ISamService,
    session: Session,
    start: IOnSlice,
    reach: number,
    context: IJobContext
  ): Promise<IFollowed> {
    const { manifest } = sam;
    const all = seenBy(session);
    const { slice0, slice1 } = session.record.region ?? { slice0: 0, slice1: session.record.image.shape[0] };
    const found: IOnSlice[] = [];
    const possible = Math.max(1, Math.min(slice1 - slice0 - 1, 2 * reach));
    const go = async (step: 1 | -1): Promise<CarryEnd> => {
      let before = start;
      for (let slice = start.slice + step; ; slice += step) {
        if (slice < slice0 || slice >= slice1) {
          return 'stack';
        }
        if (Math.abs(slice - start.slice) > reach) {
          return 'reach';
        }
        context.signal.throwIfAborted();
        context.progress('slices', found.length, possible);
        const { lowRes, seen } = followed(before, all, manifest);
        const next = await carried(lowRes, sizeOf(seen), manifest, prompts =>
          this._decode(sam, session, slice, seen, prompts, context)
        );
        if ('lost' in next) {
          return next.lost;
        }
        before = { ...next, seen, slice };
        found.push(before);
      }
    };
    const after = await go(1);
    const ends = { after, before: await go(-1) };
    return { found: [...found, start].sort((a, b) => a.slice - b.slice), ends };
  }

  /** Decode prompts on a window of a slice, in rows and columns of the window. */
  private async _decode(
    sam: ISamService,
    session: Session,
    slice: number,
    seen: Rect,
    prompts: IPrompts,
    context: IJobContext
  ): Promise<ICandidates> {
    const { embeddings } = this._options;
    const all = seenBy(session);
    const call = { id: randomBytes(8).toString('hex'), signal: context.signal, urgency: 'ahead' as const };
    const isAll = sizeOf(seen).rows === sizeOf(all).rows && sizeOf(seen).columns === sizeOf(all).columns;
    const { embedding } = await (isAll
      ? embeddings.whole(session, slice, call)
      : embeddings.window(session, slice, seen, call));
    return sam.decode(embedding, sizeOf(seen), prompts, { signal: context.signal, progress: () => undefined });
  }
}

/** The namespace for {@link ObjectCarrier}. */
export namespace ObjectCarrier {
  export interface IOptions {
    sam: ISamService;
    /** The models that suggest; undefined: `sam` alone. */
    models?: IPromptServices | undefined;
    jobs: Jobs;
    embeddings: SliceEmbeddings;
  }
}

/** The pixels of an object on a slice, in a shape. */
function pixelsOf(
  session: Session,
  { slice, lowRes, seen }: IOnSlice,
  manifest: DecoderManifest,
  shape: Readonly<IObjectShape>
): IPixels {
  const [, rows, columns] = session.record.image.shape;
  const drawn = { logits: lowRes, seen, points: [] };
  return withGreys(session, read =>
    shapedPixels(drawn, shape, { rows, columns }, manifest, rect => read({ slice, ...rect }))
  );
}

/** Note what labelling a mask changes. */
function paint(
  labels: TileFile,
  recorder: EditRecorder,
  slice: number,
  { rect, mask }: IPixels,
  { class: id, replaces, one }: Pick<Params<'labels.carry'>, 'class' | 'replaces' | 'one'>
): void {
  const now = labels.read({ slice, ...rect }) as Uint8Array;
  const may = replaceTable(replaces);
  if (one) {
    const under = mostUnder(now, mask, id);
    may.forEach((allowed, label) => (may[label] = label === under ? allowed : 0));
  }
  recorder.add(
    { slice, ...rect },
    now,
    now.map((label, i) => (mask[i] && may[label] ? id : label))
  );
}

/** The label on which most of a mask lies, its own aside; of several the lowest. */
function mostUnder(labels: Uint8Array, mask: Uint8Array, id: number): number {
  const counts = new Uint32Array(256);
  labels.forEach((label, i) => (counts[label]! += mask[i]!));
  counts[id] = 0;
  return counts.indexOf(Math.max(...counts));
}

/** The rows and columns that SAM sees of a session's slices. */
function seenBy({ record }: Session): Rect {
  return rectOf(record.region, record.image.shape);
}

function sizeOf({ row0, row1, column0, column1 }: Rect) {
  return { rows: row1 - row0, columns: column1 - column0 };
}

function rectText({ row0, row1, column0, column1 }: Rect): string {
  return `rows ${row0} to ${row1} and columns ${column0} to ${column1}`;
}
