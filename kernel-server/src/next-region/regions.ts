/**
 * The regions where labels would help most. With a classifier: the windows with the highest mean uncertainty. Without one: windows whose embedding
 * is typical of many others, and windows unlike all others. Windows with labels are left out.
 */
import { BridgeError } from '../../../src/shared/errors';
import { withImage } from '../../../src/shared/features';
import { REGION_SIDE } from '../../../src/shared/limits';
import { Lru } from '../../../src/shared/lru';
import { Params, Result, SuggestedRegion } from '../../../src/shared/protocol';
import { moved, Rect, SliceRect } from '../../../src/shared/rect';
import { cutShape, hasSlice, regionKey, wholeRegion } from '../../../src/shared/region';
import type { ISliceMaps } from '../../../engine';
import { IVectors } from './clusters';
import { ICall } from '../transport/dispatcher';
import { breathe, isBlank } from '../base/files';
import { IJobContext } from '../jobs/job-context';
import { IEngineService } from '../jobs/services';
import { Jobs } from '../jobs/jobs';
import { landmarks } from './landmarks';
import type { IEmbeddingSource } from '../learning/training-part';
import { log } from '../base/log';
import { Session } from '../session/session';
import { TileFile } from '../arrays/tile-file';
import { IUnsure, Uncertainty } from './uncertainty';
import { bestWindows, WindowGrid, WindowSums } from './score-windows';
import { sampleWindows, textures, viewed } from './window-vectors';

/** Rows of one read. */
const BAND = 256;
/** Most bytes of cached window sums. */
const KEPT_BYTES = 64 << 20;
/** Most slices that are examined without a classifier, and most windows on all of them. */
const SLICES_MAX = 4;
const WINDOWS_MAX = 2048;

/** The parts that find regions. */
export interface IRegionOptions {
  engine: IEngineService;
  jobs: Jobs;
  uncertainty: Uncertainty;
  embeddings: Pick<IEmbeddingSource, 'maps'>;
}

type Found = Result<'regions'>;

export class Regions {
  constructor(private readonly _options: IRegionOptions) {}

  /** The best regions, the answer to `regions`. */
  async find(session: Session, params: Params<'regions'>, call: ICall): Promise<Found> {
    const { measure = 'margin', side = REGION_SIDE.default, slices } = params;
    slices?.forEach(slice => session.checkSlice(slice));
    const all = Array.from({ length: session.record.image.shape[0] }, (_, slice) => slice);
    const { region } = session.record;
    const among = (slices ? [...new Set(slices)].sort((a, b) => a - b) : all).filter(slice => hasSlice(region, slice));
    const by = params.by === 'auto' ? (session.record.classifier ? 'uncertainty' : 'embedding') : params.by;
    if (among.length === 0) {
      return { by, regions: [] };
    }
    // Outside of the job: a request without a classifier fails at once and sends no `job` events.
    const unsure = by === 'uncertainty' ? await this._options.uncertainty.of(session, measure) : undefined;
    const { generation, labels, id } = session;
    const asked = JSON.stringify([unsure?.key ?? '', labels.version, params.count, side, among, regionKey(region)]);
    const description = {
      key: `regions/${id}/${generation}/${asked}`,
      id: call.id,
      session: id,
      kind: 'regions' as const
    };
    const regions = await this._options.jobs.run(description, call.signal, async context => {
      await labels.exclusive(async () => undefined); // so that all acknowledged patches are in the array
      const found = unsure
        ? await this._uncertain(session, unsure, { count: params.count, side, slices: among }, context)
        : await this._landmarks(session, { count: params.count, side, slices: among }, context);
      if (generation !== session.generation) {
        throw new BridgeError('cancelled', 'The image was replaced meanwhile.');
      }
      return found;
    });
    return { by, regions };
  }

  /** The windows of the highest mean uncertainty. Slices are examined one by one; the best windows of each are kept. */
  private async _uncertain(
    session: Session,
    unsure: IUnsure,
    { count, side, slices }: IWanted,
    context: IJobContext
  ): Promise<SuggestedRegion[]> {
    const area = areaOfWork(session);
    const grid = new WindowGrid(area.row1 - area.row0, area.column1 - area.column0, side);
    const found: SuggestedRegion[] = [];
    for (const [i, slice] of slices.entries()) {
      context.signal.throwIfAborted();
      const tell: IJobContext = {
        signal: context.signal,
        progress: (_, done, total, message) =>
          context.progress('uncertainty', i + (total > 0 ? done / total : 0), slices.length, message)
      };
      const sums = await this._sums(session, unsure, slice, grid, area, tell);
      const labelled = await labelSums(session, slice, grid, area);
      const scores = new Float64Array(grid.count);
      for (let window = 0; window < scores.length; window++) {
        const block = grid.block(window);
        scores[window] = labelled && labelled.sum(block) > 0 ? -Infinity : sums.mean(block);
      }
      // No two slices' windows overlap, so the best of each are enough.
      for (const window of bestWindows(grid, scores, count)) {
        found.push({ slice, ...window, ...moved(window, area.row0, area.column0), reason: 'uncertain' });
      }
      found.sort((a, b) => b.score - a.score || inOrder(a, b)).splice(count);
      context.progress('uncertainty', i + 1, slices.length);
    }
    return found;
  }

  /** The sums of a slice's uncertainty over windows, cached as long as the classifier stays. */
  private async _sums(
    session: Session,
    unsure: IUnsure,
    slice: number,
    grid: WindowGrid,
    area: Rect,
    context: IJobContext
  ): Promise<WindowSums> {
    const key = `${unsure.key} ${slice} ${grid.side}`;
    let sums = this._kept.get(key);
    if (!sums) {
      const summing = new WindowSums(grid);
      await this._options.uncertainty.each(session, unsure, slice, context, (block, values) =>
        summing.add(moved(block, -area.row0, -area.column0), values)
      );
      sums = summing.finish();
      this._kept.set(key, sums);
    }
    return sums;
  }

  /** Representative and unusual windows in turn. Of a long stack only a few slices are examined. */
  private async _landmarks(
    session: Session,
    { count, side, slices }: IWanted,
    context: IJobContext
  ): Promise<SuggestedRegion[]> {
    const [, rows, columns] = session.record.image.shape;
    const area = areaOfWork(session);
    const grid = new WindowGrid(area.row1 - area.row0, area.column1 - area.column0, side);
    const number = Math.min(SLICES_MAX, slices.length);
    const chosen = Array.from({ length: number }, (_, i) => slices[Math.floor(((i + 0.5) * slices.length) / number)]!);
    const places: SliceRect[] = [];
    for (const slice of chosen) {
      const labelled = await labelSums(session, slice, grid, area);
      for (const block of sampleWindows(grid, Math.floor(WINDOWS_MAX / number))) {
        if (!labelled || labelled.sum(block) === 0) {
          places.push({ slice, ...moved(block, area.row0, area.column0) });
        }
      }
    }
    const seen = await this._seen(session, chosen, places, context);
    const views = [...seen, await textures(session.image, session.record.image.display, places, context.signal)];
    return landmarks({ places, views, rows, columns, count }, context.signal);
  }

  /** Vectors of windows from the encoder's maps; none if the maps cannot be made, which a note reports. */
  private async _seen(
    session: Session,
    slices: readonly number[],
    places: readonly SliceRect[],
    context: IJobContext
  ): Promise<IVectors[]> {
    const { engine, embeddings } = this._options;
    const { image, choice, region } = session.record;
    const quiet: IJobContext = { signal: context.signal, progress: () => undefined };
    try {
      context.progress('embedding', 0, slices.length);
      const spec = [choice.features, { embedding: true }]
        .map(
          features =>
            withImage(engine.featureSpec(features), { ...image, shape: cutShape(image.shape, region) }).embedding
        )
        .find(embedding => embedding !== null);
      const embedding = await embeddings.maps(session, spec!, undefined, quiet, slices[0]);
      const maps = new Map<number, ISliceMaps>();
      for (const [i, slice] of slices.entries()) {
        maps.set(slice, await embedding.slice(slice, quiet));
        context.progress('embedding', i + 1, slices.length);
      }
      return [viewed(places, maps)];
    } catch (thrown) {
      context.signal.throwIfAborted();
      const error = BridgeError.from(thrown);
      if (error.code === 'cancelled') {
        throw error;
      }
      log('regions are suggested without an embedding', error);
      const why = error.message.replace(/\.$/, '');
      const note = `The embedding is not available (${why}); regions are chosen by brightness and roughness.`;
      context.progress('brightness and roughness', 0, 1, note);
      return [];
    }
  }

  private readonly _kept = new Lru<string, WindowSums>({ limit: KEPT_BYTES, weight: ({ bytes }) => bytes });
}

interface IWanted {
  count: number;
  side: number;
  /** Ascending. */
  slices: readonly number[];
}

/** The rows and columns in which regions are found. */
function areaOfWork({ record: { region, image } }: Session): Rect {
  const { row0, row1, column0, column1 } = region ?? wholeRegion(image.shape);
  return { row0, row1, column0, column1 };
}

/** Labelled pixels in the windows of an area of a slice; undefined if it has none. */
async function labelSums(
  session: Session,
  slice: number,
  grid: WindowGrid,
  { row0: top, row1: bottom, column0, column1 }: Rect
): Promise<WindowSums | undefined> {
  if (session.labels.pixels === 0) {
    return undefined;
  }
  const file = new TileFile(session.labels.array, 'r');
  try {
    let sums: WindowSums | undefined;
    for (let row0 = top; row0 < bottom; row0 += BAND) {
      const block = { row0, row1: Math.min(bottom, row0 + BAND), column0, column1 };
      const labels = file.read({ slice, ...block }) as Uint8Array;
      if (!isBlank(labels)) {
        sums ??= new WindowSums(grid);
        sums.add(
          moved(block, -top, -column0),
          labels.map(id => Number(id > 0))
        );
      }
      await breathe();
    }
    return sums?.finish();
  } finally {
    file.close();
  }
}

function inOrder(a: SliceRect, b: SliceRect): number {
  return a.slice - b.slice || a.row0 - b.row0 || a.column0 - b.column0;
}
