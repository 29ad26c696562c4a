/** Trains classifiers for sessions. Adds the encoder's maps if the spec asks for them and they can be made. */
import type { IEmbeddingBasis } from '../../../engine';
import { BridgeError } from '../../../src/shared/errors';
import { EmbeddingSpec, FeatureSpec, inOneView, withoutEmbedding } from '../../../src/shared/features';
import { LearnerParams } from '../../../src/shared/learners';
import { LabelClass } from '../../../src/shared/protocol';
import type { Rect, SliceRect } from '../../../src/shared/rect';
import { IJobContext } from '../jobs/job-context';
import { IEngineService, IImageMaps, ITrained } from '../jobs/services';
import { Session } from '../session/session';
import {
  IEmbeddingSource,
  ITrainingPart,
  nameOf,
  seesOther,
  WatchedEmbedding,
  withoutEmbeddingNote
} from './training-part';

const PENDING = "SAM's embedding is being computed; the classifier sees it as soon as it is there.";

/** The maps of a session that are there at once; notes those that are missing. */
class ReadyMaps {
  constructor(
    private readonly _embeddings: IEmbeddingSource,
    private readonly _session: Session,
    readonly spec: EmbeddingSpec,
    private readonly _missing: (spec: EmbeddingSpec, slice: number, under: readonly Rect[]) => void
  ) {}

  /** Why maps are missing, for the user; empty if none were. */
  note = '';

  /** Where maps are needed first; see {@link IEmbeddingSource.first}. */
  first({ view }: { view?: SliceRect }): readonly Rect[] {
    return this._embeddings.first(this._session, this.spec, view);
  }

  isThere(seen: { slice: number; view?: SliceRect }, under = this.first(seen)): boolean {
    return this._embeddings.ready(this._session, seen.slice, this.spec, undefined, under);
  }

  /** Whether maps are there; tells of those that are missing at once, before they can arrive. */
  has(slice: number, under: readonly Rect[]): boolean {
    const isThere = this.isThere({ slice }, under);
    if (!isThere) {
      const failure = this._embeddings.failure(this._session, slice, this.spec);
      this.note = failure ? withoutEmbeddingNote(failure) : this.note || PENDING;
      this._missing(this.spec, slice, under);
    }
    return isThere;
  }
}

/** The result of a training. */
export interface ILearned {
  trained: ITrained;
  /** The classifier's classes. */
  classes: LabelClass[];
  /** The spec that was used, which may lack the embedding. */
  spec: FeatureSpec;
  /** The maps of each part, if the spec has an embedding. */
  embeddings: readonly WatchedEmbedding[] | undefined;
  /** A note for the user. */
  note: string;
}

export class Learner {
  constructor(
    private readonly _engine: IEngineService,
    private readonly _embeddings: IEmbeddingSource
  ) {}

  /**
   * Train on sessions and pass the result to `use`. If the maps cannot be made, in training or in use, both run again
   * without the embedding.
   *
   * @throws BridgeError `not-ready` if a session's region changes before its maps are found: they would be those of the other region
   */
  async learn<T>(
    parts: readonly ITrainingPart[],
    spec: FeatureSpec,
    forest: LearnerParams,
    context: IJobContext,
    use: (learned: ILearned) => Promise<T>
  ): Promise<T> {
    if (!spec.embedding) {
      return use(await this._train(parts, spec, forest, '', context));
    }
    const embeddings: WatchedEmbedding[] = [];
    let found = false;
    try {
      await this._find(parts, spec.embedding, context, embeddings);
      found = true;
      return await use(await this._train(parts, spec, forest, '', context, embeddings));
    } catch (error) {
      const moved = parts.find(seesOther);
      if (!found && moved && !context.signal.aborted) {
        throw new BridgeError(
          'not-ready',
          `${nameOf(moved.session)}: the region to work on changed before SAM had seen it, so nothing was trained. Train again.`
        );
      }
      const failure = found ? embeddings.find(({ failure }) => failure)?.failure : BridgeError.from(error);
      if (!failure || failure.code === 'cancelled' || context.signal.aborted) {
        throw error;
      }
      const note = `${withoutEmbeddingNote(failure)} Train again to try once more.`;
      return use(await this._train(parts, withoutEmbedding(spec), forest, note, context));
    }
  }

  /**
   * Train on a session at once: on the image as SAM sees it in one view as long as the mean over mirrored views is missing, and without the embedding as
   * long as that is missing too.
   *
   * @param seen what a page shows, or a slice
   * @param missing called with each spec and slice whose maps are missing, and where on it; what is made soonest comes first
   */
  async learnNow(
    part: ITrainingPart,
    spec: FeatureSpec,
    forest: LearnerParams,
    context: IJobContext,
    seen: { slice: number; view?: SliceRect },
    missing: (spec: EmbeddingSpec, slice: number, under: readonly Rect[]) => void
  ): Promise<ILearned> {
    const { embedding } = spec;
    if (!embedding) {
      return this._train([part], spec, forest, '', context);
    }
    const { session } = part;
    const views = [embedding, ...inOneView(embedding)].map(
      each => new ReadyMaps(this._embeddings, session, each, missing)
    );
    const [full, quick] = views;
    if (quick && !full!.isThere(seen)) {
      quick.has(seen.slice, quick.first(seen)); // it is told first, and so made first
    }
    let note = '';
    for (const maps of views) {
      const learned = await this._learnIfReady(part, spec, forest, context, seen, maps, note);
      if (learned) {
        return learned;
      }
      note ||= maps.note;
    }
    return this._train([part], withoutEmbedding(spec), forest, note, context);
  }

  /** Train on maps of a session, instead of those that `spec` names; null if some are missing. */
  private async _learnIfReady(
    part: ITrainingPart,
    spec: FeatureSpec,
    forest: LearnerParams,
    context: IJobContext,
    seen: { slice: number; view?: SliceRect },
    maps: ReadyMaps,
    note: string
  ): Promise<ILearned | null> {
    // Any slice gives a basis. The training finds out what else it needs.
    if (!maps.has(seen.slice, maps.first(seen))) {
      return null;
    }
    const own = new WatchedEmbedding(
      await this._embeddings.maps(part.session, maps.spec, undefined, context, seen.slice),
      (asked, under = maps.first({})) => {
        if (!maps.has(asked, under)) {
          throw new BridgeError('not-ready', `SAM's embedding of slice ${asked} is not there yet.`);
        }
      }
    );
    try {
      const learned = await this._train([part], { ...spec, embedding: maps.spec }, forest, note, context, [own]);
      own.before = undefined; // segmenting waits for missing maps
      return learned;
    } catch (error) {
      if (!own.failure || context.signal.aborted) {
        throw error;
      }
      return null;
    }
  }

  /** Train on a session at once without the embedding, because the maps of a slice `failed`. */
  learnWithout(
    part: ITrainingPart,
    spec: FeatureSpec,
    forest: LearnerParams,
    context: IJobContext,
    failed: BridgeError
  ): Promise<ILearned> {
    return this._train([part], withoutEmbedding(spec), forest, withoutEmbeddingNote(failed), context);
  }

  private async _train(
    parts: readonly ITrainingPart[],
    spec: FeatureSpec,
    forest: LearnerParams,
    note: string,
    context: IJobContext,
    embeddings?: readonly WatchedEmbedding[]
  ): Promise<ILearned> {
    const { classes, image } = parts[0]!.session.record;
    const [source, ...others] = parts.map((part, i) => ({
      image: part.image,
      labels: part.session.labels.array,
      cacheKey: part.session.record.image.digest,
      within: part.region,
      ...(embeddings && { embedding: embeddings[i]! })
    }));
    const pixelSize = image.pixelSize ?? null;
    const trained = await this._engine.train({ ...source!, others, classes, spec, forest, pixelSize }, context);
    return { trained, classes: this._engine.classesOf(trained), spec, embeddings, note };
  }

  /** The maps of sessions, all under the basis of the first one. */
  private async _find(
    [first, ...others]: readonly ITrainingPart[],
    spec: EmbeddingSpec,
    context: IJobContext,
    found: WatchedEmbedding[]
  ): Promise<void> {
    context.progress('embedding', 0, 1);
    const own = await this._mapsOf(first!, spec, undefined, context);
    context.signal.throwIfAborted();
    found.push(new WatchedEmbedding(own));
    for (const part of others) {
      found.push(new WatchedEmbedding(await this._mapsOf(part, spec, own.basis, context)));
    }
  }

  /** The maps of the region that is trained on. */
  private async _mapsOf(
    part: ITrainingPart,
    spec: EmbeddingSpec,
    basis: IEmbeddingBasis | undefined,
    context: IJobContext
  ): Promise<IImageMaps> {
    const other = () => new BridgeError('cancelled', 'The region changed meanwhile.');
    if (seesOther(part)) {
      throw other();
    }
    const maps = await this._embeddings.maps(part.session, spec, basis, context);
    if (seesOther(part)) {
      throw other();
    }
    return maps;
  }
}
