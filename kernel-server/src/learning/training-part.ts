/** The inputs and results of a training, for requested trainings and live rounds. */
import { join } from 'node:path';
import type { IEmbeddingBasis } from '../../../engine';
import { BridgeError } from '../../../src/shared/errors';
import { FeatureSpec, withImage } from '../../../src/shared/features';
import { LearnerParams } from '../../../src/shared/learners';
import { ArrayDescriptor, ClassifierInfo, LabelClass, TrainingChoice } from '../../../src/shared/protocol';
import type { Rect } from '../../../src/shared/rect';
import { cutShape, isSameRect, OptionalRegion } from '../../../src/shared/region';
import type { SliceEmbeddings } from '../sam/slice-embeddings';
import { explainStorage, writeAtomically } from '../base/files';
import { IEngineService, IImageMaps, ITrained } from '../jobs/services';
import { Session } from '../session/session';

/** A session's state when the work on it began. */
export interface ITrainingPart {
  session: Session;
  image: ArrayDescriptor;
  generation: number;
  labelsVersion: number;
  region: OptionalRegion;
}

/** Throws BridgeError `not-ready` for a session without pixels. */
export function partOf(session: Session): ITrainingPart {
  try {
    const { image, generation, labels } = session;
    return { session, image, generation, labelsVersion: labels.version, region: session.record.region };
  } catch (error) {
    const { code, message } = BridgeError.from(error);
    throw new BridgeError(code, `${nameOf(session)}: ${message}`);
  }
}

/** Whether SAM sees other pixels of a session now than when the work on it began: another region. */
export function seesOther({ session, region }: ITrainingPart): boolean {
  return !isSameRect(region, session.record.region, session.record.image.shape);
}

/** The name of a session for messages. */
export function nameOf({ record }: Session): string {
  const [, rows, columns] = record.image.shape;
  return record.title ? `“${record.title}”` : `a session without a name (${rows} × ${columns} pixels)`;
}

/** Why a training is not possible yet, as a sentence; `undefined` if it is possible. */
export function missingLabels(sessions: readonly Session[]): string | undefined {
  const { classes } = sessions[0]!.record;
  const labelled = classes.filter(({ id }) => sessions.some(({ labels }) => labels.count(id) > 0));
  if (labelled.length >= 2) {
    return undefined;
  }
  const have = labelled.length
    ? `Only class ${labelled[0]!.id} (${labelled[0]!.name}) has labels`
    : 'There are no labels';
  return `${have}. Label a few pixels of at least two classes`;
}

/** The spec of a choice, with the range that covers the displayed values of all images. */
export function specOf(
  engine: IEngineService,
  features: TrainingChoice['features'],
  sessions: readonly Session[]
): FeatureSpec {
  const images = sessions.map(({ record }) => record.image);
  return withImage(engine.featureSpec(features), {
    dtype: (images.find(({ dtype }) => dtype !== 'uint8') ?? images[0]!).dtype,
    display: {
      low: Math.min(...images.map(({ display }) => display.low)),
      high: Math.max(...images.map(({ display }) => display.high))
    },
    shape: cutShape(images[0]!.shape, sessions[0]!.record.region) // SAM sees the region alone
  });
}

/** Gives the maps of a session's slices. */
export type IEmbeddingSource = Pick<SliceEmbeddings, 'maps' | 'ready' | 'failure' | 'first' | 'prefetch' | 'arrived'>;

/** The note for a classifier that was trained without the chosen embedding. */
export function withoutEmbeddingNote({ message }: BridgeError): string {
  const why = message.replace(/\.$/, '').slice(0, 900);
  return `Trained without SAM's embedding, which could not be computed: ${why}.`;
}

/** Maps that remember why a slice failed. */
export class WatchedEmbedding implements IImageMaps {
  constructor(
    private readonly _embedding: IImageMaps,
    /** Called before each request for a slice, or for some rectangles of it; may throw. */
    public before?: (slice: number, under?: readonly Rect[]) => void
  ) {}

  /** Why a slice failed. */
  failure: BridgeError | undefined;

  get basis(): IEmbeddingBasis {
    return this._embedding.basis;
  }

  get samples(): IImageMaps['samples'] {
    return this._embedding.samples;
  }

  async slice(...[slice, context, under]: Parameters<IImageMaps['slice']>): ReturnType<IImageMaps['slice']> {
    try {
      this.before?.(slice, under);
      return await this._embedding.slice(slice, context, under);
    } catch (error) {
      this.failure ??= BridgeError.from(error);
      throw error;
    }
  }
}

/** A classifier's summary. */
export function infoOf(
  trained: ITrained,
  more: {
    classes: LabelClass[];
    spec: FeatureSpec;
    forest: LearnerParams;
    labelsVersion: number;
    seconds: number;
    basis?: IEmbeddingBasis | undefined;
    note: string;
  }
): ClassifierInfo {
  const { basis, ...rest } = more;
  const { oobScore, importance, scores, featureNames, trees, samples } = trained;
  return {
    oobScore,
    features: featureNames,
    trees,
    samples,
    importance,
    scores,
    embedding: basis ? { model: basis.model, digest: basis.digest } : null,
    ...rest
  };
}

/** The file of a session's classifier. */
export function classifierPath(session: Session): string {
  return join(session.folder, 'classifier.json');
}

export async function writeClassifier(session: Session, json: Uint8Array): Promise<void> {
  const path = classifierPath(session);
  await writeAtomically(path, json).catch(async error => {
    throw await explainStorage(error, path, json.byteLength);
  });
}
