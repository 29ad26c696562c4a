/** Phase fractions with intervals, of sessions and of handed-over arrays. The statistics are in `engine/core/phase-fractions.ts`. */
import { imagePhases, IImagePhases, ISoftPhase } from '../../../engine';
import { BridgeError } from '../../../src/shared/errors';
import { Lru } from '../../../src/shared/lru';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { regionKey, Region, wholeRegion } from '../../../src/shared/region';
import { TileFile } from '../arrays/tile-file';
import { breathe } from '../base/files';
import { log } from '../base/log';
import { IJobContext } from '../jobs/job-context';
import { IEngineService } from '../jobs/services';
import { Uncertainty } from '../next-region/uncertainty';
import { layLabels } from '../session/overlays';
import { Session } from '../session/session';
import { ICall } from '../transport/dispatcher';
import { SoftPhases, someBlocks } from './soft-phases';

/** Sessions whose last result is kept. */
const SESSIONS_MAX = 64;

export class PhaseFractions {
  constructor(private readonly _options: { engine: IEngineService; uncertainty: Uncertainty }) {}

  /**
   * The phases of a session's corrected segmentation, in the region that is worked on. A page does not wait for it:
   * the encoder does all other work first.
   *
   * @throws BridgeError `not-ready` if there is no segmentation
   */
  async ofSession(session: Session, { peer, signal }: Pick<ICall, 'peer' | 'signal'>): Promise<IImagePhases> {
    await session.labels.exclusive(async () => undefined); // so that all acknowledged strokes are in the arrays
    const segmentation = session.array('segmentation');
    if (!segmentation || !session.record.classifier) {
      throw new BridgeError('not-ready', 'There is no segmentation yet. Label a few pixels of two classes and train.');
    }
    const correction = session.array('correction');
    const region = session.record.region ?? wholeRegion(segmentation.shape);
    const versions = [segmentation.version, session.labels.version, session.labels.versionOf('correction')];
    const key = [segmentation.path, correction?.path, ...versions, regionKey(region)].join(' ');
    const kept = this._kept.get(session.id);
    if (kept?.key === key) {
      return kept.phases;
    }
    const context: IJobContext = {
      signal,
      progress: () => undefined,
      ...(peer.role === 'relay' && { urgency: 'ahead' as const })
    };
    const cells = await this._options.engine.phaseCells({ segmentation, correction, region }, context);
    const soft = await this._softOf(session, { segmentation, correction, region }, context);
    signal.throwIfAborted();
    const phases = imagePhases(cells, region.slice1 - region.slice0, soft ?? []);
    if (soft) {
      this._kept.set(session.id, { key, phases });
    }
    return phases;
  }

  /**
   * The phases of a segmentation, uint8 [slices, rows, columns].
   *
   * @param probabilities float32 [slices, rows, columns, classes], and the classes' ids; undefined: the classification's error stays unknown
   */
  async ofArrays(
    segmentation: ArrayDescriptor,
    probabilities: { array: ArrayDescriptor; ids: readonly number[] } | undefined,
    signal: AbortSignal
  ): Promise<IImagePhases> {
    const region = wholeRegion(segmentation.shape);
    const context: IJobContext = { signal, progress: () => undefined };
    const cells = await this._options.engine.phaseCells({ segmentation, correction: undefined, region }, context);
    const soft = new SoftPhases(probabilities?.ids ?? []);
    if (probabilities) {
      const [hard, sure] = [new TileFile(segmentation, 'r'), new TileFile(probabilities.array, 'r')];
      try {
        for (const block of someBlocks(region)) {
          signal.throwIfAborted();
          soft.add(hard.read(block) as Uint8Array, sure.read(block) as Float32Array);
          await breathe();
        }
      } finally {
        hard.close();
        sure.close();
      }
    }
    return imagePhases(cells, region.slice1, soft.phases);
  }

  /** What a session's probabilities say; null if they cannot be computed now. */
  private async _softOf(
    session: Session,
    { segmentation, correction, region }: ISegmented,
    context: IJobContext
  ): Promise<ISoftPhase[] | null> {
    const { engine, uncertainty } = this._options;
    const hard = new TileFile(segmentation, 'r');
    const over = correction && new TileFile(correction, 'r');
    try {
      const unsure = await uncertainty.of(session, 'probabilities');
      const soft = new SoftPhases(engine.classesOf(unsure.classifier).map(({ id }) => id));
      for (const block of someBlocks(region)) {
        context.signal.throwIfAborted();
        const ids = hard.read(block) as Uint8Array;
        if (over) {
          layLabels(ids, over.read(block) as Uint8Array);
        }
        soft.add(ids, await uncertainty.probabilities(session, unsure, block, context));
      }
      return soft.phases;
    } catch (thrown) {
      context.signal.throwIfAborted();
      const error = BridgeError.from(thrown);
      if (error.code === 'cancelled') {
        throw error;
      }
      log('phase fractions are given without the error of the classification', error);
      return null;
    } finally {
      hard.close();
      over?.close();
    }
  }

  private readonly _kept = new Lru<string, { key: string; phases: IImagePhases }>({ limit: SESSIONS_MAX });
}

interface ISegmented {
  segmentation: ArrayDescriptor;
  correction: ArrayDescriptor | undefined;
  region: Region;
}
