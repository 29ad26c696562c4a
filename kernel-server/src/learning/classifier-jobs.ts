/** Classifiers of sessions: trained on the labels of one or several, loaded from files, applied to all their slices. */
import { readFile } from 'node:fs/promises';
import { BridgeError } from '../../../src/shared/errors';
import { FeatureSpec } from '../../../src/shared/features';
import {
  ArrayDescriptor,
  ClassifierInfo,
  FeatureChoice,
  LabelClass,
  Params,
  TrainingChoice
} from '../../../src/shared/protocol';
import { holds, isSameRegion, regionKey } from '../../../src/shared/region';
import { ArrayStore } from '../arrays/array-store';
import { greyRange } from '../arrays/display-range';
import { ICall, madeBy } from '../transport/dispatcher';
import { breathe, isMissing } from '../base/files';
import { IJobContext } from '../jobs/job-context';
import { AnyClassifier, IEngineService, IImageMaps, ISegmentationArrays } from '../jobs/services';
import { Jobs, SET_ASIDE } from '../jobs/jobs';
import { Learner } from './learner';
import { differences } from './other-images';
import {
  classifierPath,
  IEmbeddingSource,
  infoOf,
  ITrainingPart,
  missingLabels,
  nameOf,
  partOf,
  specOf,
  writeClassifier
} from './training-part';
import { Session } from '../session/session';
import { LiveTiles } from './live-tiles';
import { ShownRound } from './shown-round';
import { TileFile } from '../arrays/tile-file';
import { Peers } from '../transport/peers';

/** The parts that classifier jobs use. */
export interface IClassifierOptions {
  peers: Pick<Peers, 'views' | 'emit'>;
  engine: IEngineService;
  store: ArrayStore;
  jobs: Jobs;
  embeddings: IEmbeddingSource;
}

/** Arrays that are computed from image and classifier. */
const RESULTS = {
  prediction: 'uint8',
  probabilities: 'float32',
  uncertainty: 'float32'
} as const;
type ResultName = keyof typeof RESULTS;

export class ClassifierJobs {
  constructor(private readonly _options: IClassifierOptions) {
    this.learner = new Learner(_options.engine, _options.embeddings);
  }

  readonly learner: Learner;

  /** Grow a forest on the labels of all `sessions` and segment every slice of each. The first one's choice is taken. */
  async train(sessions: readonly Session[], params: Params<'train'>, call: ICall): Promise<void> {
    const first = sessions[0]!;
    const choice = await this.choose(first, params);
    const description = {
      key: `train/${first.id}/${call.id}`,
      id: call.id,
      session: first.id,
      others: sessions.slice(1).map(({ id }) => id),
      kind: 'train' as const
    };
    await this._options.jobs.run(description, call.signal, context =>
      inTurn(sessions, context.signal, () => this._train(sessions, choice, context))
    );
  }

  /**
   * Choose features or forest for the next training. Throws BridgeError `invalid` for a choice that cannot be computed.
   *
   * @returns the whole choice
   */
  async choose(
    session: Session,
    { features, forest }: Pick<Params<'train'>, 'features' | 'forest'>
  ): Promise<TrainingChoice> {
    const { engine } = this._options;
    const choice = { ...session.record.choice };
    if (features) {
      choice.features = { ...engine.featureSpec(features) };
    }
    if (forest) {
      engine.learnerParams(forest);
      choice.forest = forest;
    }
    if (features || forest) {
      await session.choose(choice);
    }
    return choice;
  }

  /** The spec of a request, or else the session's choice, for its image. */
  spec(session: Session, features: FeatureChoice = session.record.choice.features): FeatureSpec {
    return specOf(this._options.engine, features, [session]);
  }

  /** The maps of a session's image for a classifier; `undefined` if the classifier uses none. */
  async embeddingOf(session: Session, classifier: AnyClassifier): Promise<IImageMaps | undefined> {
    const { engine, embeddings } = this._options;
    const basis = engine.basisOf(classifier);
    if (!basis) {
      return undefined;
    }
    const { embedding } = engine.featureSpec(engine.describe(classifier).info.spec);
    return embeddings.maps(session, embedding!, basis);
  }

  /**
   * Compute those of the named arrays that are missing.
   *
   * @returns whether the segmentation was missing
   */
  async segment(session: Session, arrays: Params<'segment'>['arrays'], call: ICall): Promise<boolean> {
    const { region } = session.record;
    const wanted = arrays.map((name): ResultName => (name === 'segmentation' ? 'prediction' : name));
    const isThere = (name: ResultName) =>
      session.array(name) !== undefined &&
      (name !== 'prediction' || holds(session.record.segmentedRegion, session.record.region));
    const missing = () => [...new Set(wanted)].filter(name => !isThere(name)).sort();
    if (missing().length === 0) {
      return false;
    }
    const description = {
      key: `segment/${session.id}/${session.generation}/${session.record.segmentationVersion}/${regionKey(session.record.region)}/${missing().join()}`,
      id: call.id,
      session: session.id,
      kind: 'apply' as const
    };
    const made = await this._options.jobs.run(description, call.signal, context =>
      inTurn([session], context.signal, async () => {
        const names = missing(); // an earlier training in the queue may have changed this
        const { info, json } = await this.of(session);
        const part = partOf(session);
        if (names.length === 0) {
          return false;
        }
        if (!isThere('prediction') && !names.includes('prediction')) {
          names.push('prediction');
        }
        await this._apply([part], json, await this._seen(session, json, context), names, context, ([made]) =>
          session.takeResults(made!, part, made!.prediction ? info : undefined)
        );
        return names.includes('prediction');
      })
    );
    // The region may have changed meanwhile: then that of the older one was made.
    return isSameRegion(region, session.record.region) ? made : (await this.segment(session, arrays, call)) || made;
  }

  /** Take a classifier's file over into a session and segment every slice with it. */
  async load(session: Session, file: Uint8Array, call: ICall): Promise<void> {
    const description = {
      key: `load/${session.id}/${call.id}`,
      id: call.id,
      session: session.id,
      kind: 'load' as const
    };
    await this._options.jobs.run(description, call.signal, context =>
      inTurn([session], context.signal, async () => {
        const { engine } = this._options;
        const start = performance.now();
        const json = engine.read(file);
        const { channels, info: described, trainedOn, pixelSize } = engine.describe(json);
        const own = session.record.image.shape[3];
        if (channels !== own) {
          throw new BridgeError(
            'invalid',
            `The image has ${own} ${own === 1 ? 'channel' : 'channels'}, the classifier was trained on images with ${channels}.`
          );
        }
        const part = partOf(session);
        mergedClasses(session, described.classes); // fails before the work, not after it
        const embeddings = await this._seen(session, json, context);
        await this._show([part], json, embeddings, context, async ([made]) => {
          await session.setClasses(mergedClasses(session, described.classes), madeBy(call, 'classifier'));
          await writeClassifier(session, json);
          const standardised = engine.featureSpec(described.spec).standardise;
          const known = { standardised, trainedOn, pixelSize };
          const note = differences(known, session.record.image, await greyRange(part.image));
          const info = { ...described, note, labelsVersion: 0, seconds: (performance.now() - start) / 1000 };
          const { round, part: share, ...results } = made!;
          await session.takeResults(results, part, info, round, share);
          const { spec, forest } = described;
          await session.choose({ ...(spec && { features: spec }), ...(forest && { forest }) });
        });
      })
    );
  }

  /** The classifier of a session: its info and its JSON. Throws BridgeError `not-ready` if there is none. */
  async of(session: Session): Promise<{ info: ClassifierInfo; json: Uint8Array }> {
    const info = session.record.classifier;
    if (info) {
      try {
        return { info, json: await readFile(classifierPath(session)) };
      } catch (error) {
        if (!isMissing(error)) {
          throw error;
        }
      }
    }
    throw new BridgeError('not-ready', 'There is no classifier yet. Label a few pixels of two classes and train.');
  }

  private async _train(sessions: readonly Session[], choice: TrainingChoice, context: IJobContext): Promise<void> {
    const { engine } = this._options;
    const first = sessions[0]!;
    for (const { labels } of sessions) {
      await labels.exclusive(async () => undefined); // so that all acknowledged patches are in the array
    }
    const parts = sessions.map(partOf);
    sessions.slice(1).forEach(other => expectAlike(first, other));
    const missing = missingLabels(sessions);
    if (missing !== undefined) {
      throw new BridgeError('not-ready', `${missing}, then train.`);
    }
    const spec = specOf(engine, choice.features, sessions);
    const forest = engine.learnerParams(choice.forest);
    const start = performance.now();
    await this.learner.learn(parts, spec, forest, context, ({ trained, embeddings, ...learned }) =>
      this._show(parts, trained, embeddings, context, async made => {
        const seconds = (performance.now() - start) / 1000;
        const basis = embeddings?.[0]?.basis;
        for (const [i, its] of parts.entries()) {
          const { session, labelsVersion } = its;
          const { round, part, ...results } = made[i]!;
          if (part === 0) {
            continue; // cancelled before its turn came
          }
          await writeClassifier(session, trained.json);
          const info = infoOf(trained, { ...learned, forest, basis, labelsVersion, seconds });
          await session.takeResults(results, its, info, round, part);
          if (session !== first) {
            await session.choose(choice);
          }
        }
      })
    );
  }

  /** The inputs of {@link _apply} for one session. */
  private async _seen(session: Session, json: Uint8Array, context: IJobContext): Promise<IImageMaps[] | undefined> {
    const embedding = await this.embeddingOf(session, json);
    context.signal.throwIfAborted();
    return embedding && [embedding];
  }

  /**
   * Segment every slice of some sessions with a new classifier, what pages show first. If the work is cancelled after a page has got tiles,
   * `take` takes over those that are made, unless the labels were set aside; else it takes over all.
   */
  private async _show(
    parts: readonly ITrainingPart[],
    classifier: AnyClassifier,
    embeddings: readonly IImageMaps[] | undefined,
    context: IJobContext,
    take: (made: IShown[]) => Promise<void>
  ): Promise<void> {
    const { engine, store, peers } = this._options;
    const { signal } = context;
    const rounds: ShownRound[] = [];
    const made: IShown[] = [];
    const allocate = ({ session }: ITrainingPart) =>
      store.allocate(session.arraysFolder, 'prediction', 'uint8', session.labels.array.shape);
    try {
      for (const part of parts) {
        const prediction = await allocate(part);
        const round = part.session.nextRound();
        made.push({ prediction, round, part: 1 });
        rounds.push(new ShownRound({ part, round, prediction, signal, peers }));
      }
      const total = rounds.reduce((sum, { tiles }) => sum + tiles.total, 0);
      try {
        let before = 0;
        for (const [i, round] of rounds.entries()) {
          signal.throwIfAborted();
          await round.segment(engine, classifier, embeddings?.[i], {
            signal,
            progress: (stage, done, _, message) => context.progress(stage, before + done, total, message)
          });
          before += round.tiles.total;
        }
        signal.throwIfAborted();
        await Promise.all(rounds.map(round => round.close()));
      } catch (error) {
        await Promise.all(rounds.map(round => round.close()));
        if (signal.aborted && signal.reason !== SET_ASIDE && rounds.some(({ any }) => any)) {
          for (const [i, { tiles }] of rounds.entries()) {
            const { prediction: begun } = made[i]!;
            const prediction = await allocate(parts[i]!);
            made[i] = { ...made[i]!, prediction, part: tiles.made / tiles.total };
            await copyMade(tiles, begun, prediction).finally(() => store.remove(begun)); // threads may still write to it
          }
          await take(made);
          // The caller has got its answer already, when it cancelled.
          for (const [i, { session: its }] of parts.entries()) {
            if (made[i]!.part > 0) {
              const { version, round } = its.state().segmentation!;
              peers.emit(its.id, 'segmentation', { session: its.id, version, ...(round !== undefined && { round }) });
            }
          }
        }
        throw error;
      }
      await take(made);
    } finally {
      for (const [i, { session }] of parts.entries()) {
        const taken = session.record.arrays['prediction']?.path;
        await store.remove(made[i]?.prediction.path === taken ? undefined : made[i]?.prediction);
      }
    }
  }

  /** Apply a classifier to every slice of some sessions, into new arrays. `take` takes them over; arrays that it does not take are removed. */
  private async _apply(
    parts: readonly ITrainingPart[],
    classifier: AnyClassifier,
    embeddings: readonly IImageMaps[] | undefined,
    names: readonly ResultName[],
    context: IJobContext,
    take: (made: ISegmentationArrays[]) => Promise<void>
  ): Promise<void> {
    const { engine, store } = this._options;
    const classes = engine.classesOf(classifier).length;
    const made: ISegmentationArrays[] = parts.map(() => ({}));
    try {
      for (const [i, { session, region }] of parts.entries()) {
        const shape = session.labels.array.shape;
        for (const name of names) {
          const size = name === 'probabilities' ? [...shape, classes] : shape;
          made[i]![name] = await store.allocate(session.arraysFolder, name, RESULTS[name], size, region !== null);
        }
      }
      const slices = parts.reduce((sum, { image }) => sum + image.shape[0]!, 0);
      let before = 0;
      for (const [i, { session, image, region }] of parts.entries()) {
        const cacheKey = session.record.image.digest;
        for (let slice = 0; slice < image.shape[0]!; slice++, before++) {
          context.signal.throwIfAborted();
          await engine.apply(
            {
              classifier,
              image,
              slice,
              out: made[i]!,
              cacheKey,
              within: region,
              ...(embeddings && { embedding: embeddings[i]! })
            },
            {
              signal: context.signal,
              progress: (stage, done, total, message) =>
                context.progress(stage, before + (total > 0 ? done / total : 0), slices, message)
            }
          );
        }
      }
      context.signal.throwIfAborted();
      await take(made);
    } catch (error) {
      for (const [i, { session }] of parts.entries()) {
        const taken = new Set(Object.values(session.record.arrays).map(array => array.path));
        await store.remove(...Object.values(made[i]!).filter(array => !taken.has(array.path)));
      }
      throw error;
    }
  }
}

/** A segmentation that pages have seen on its way. */
interface IShown {
  prediction: ArrayDescriptor;
  /** The round under which pages got its tiles. */
  round: number;
  /** Share of its tiles that are made. */
  part: number;
}

/** Copy the tiles that are made. */
async function copyMade(tiles: LiveTiles, from: ArrayDescriptor, to: ArrayDescriptor): Promise<void> {
  const source = new TileFile(from, 'r');
  const target = new TileFile(to, 'r+');
  try {
    for (const rect of tiles.all()) {
      target.write(rect, source.read(rect));
      await breathe();
    }
  } finally {
    source.close();
    target.close();
  }
}

/** Run work when the turn of each session has come. Sessions are taken in one fixed order, which prevents deadlocks. */
function inTurn<T>(sessions: readonly Session[], signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const [next, ...rest] = [...sessions].sort((a, b) => (a.id < b.id ? -1 : 1));
  return next ? next.training.run(signal, () => inTurn(rest, signal, work)) : work();
}

/** Throws BridgeError `invalid` if two sessions cannot share a classifier. */
function expectAlike(first: Session, other: Session): void {
  const [own, its] = [first.record.image.shape[3], other.record.image.shape[3]];
  if (own !== its) {
    throw new BridgeError(
      'invalid',
      `The image of ${nameOf(other)} has ${channels(its)}, that of ${nameOf(first)} ${channels(own)}; one classifier needs the same number.`
    );
  }
  const list = ({ record }: Session) => record.classes.map(({ id, name }) => `${id} (${name})`).sort();
  if (list(first).join('\n') !== list(other).join('\n')) {
    throw new BridgeError(
      'invalid',
      `The classes of ${nameOf(other)} are ${list(other).join(', ')}, those of ${nameOf(first)} are ${list(first).join(', ')}; ` +
        'one classifier needs the same ids and names.'
    );
  }
}

/**
 * The classes of a session that takes a classifier over: the classifier's, and its own others.
 *
 * @throws BridgeError `invalid` if labels have a class that the classifier does not know, or knows by another name.
 */
function mergedClasses(session: Session, classes: LabelClass[]): LabelClass[] {
  const known = new Map(classes.map(item => [item.id, item]));
  const names = new Set(classes.map(({ name }) => name));
  const list = classes.map(({ id, name }) => `${id} (${name})`).join(', ');
  const more = session.record.classes.filter(({ id, name }) => {
    const same = known.get(id);
    if (session.labels.count(id) > 0 && same?.name !== name) {
      throw new BridgeError(
        'invalid',
        `There are labels of class ${id} (${name}); the classifier has the classes ${list}. ` +
          'Give the class the same id and name, or begin without labels.'
      );
    }
    return !same && !names.has(name);
  });
  return [...classes, ...more].sort((a, b) => a.id - b.id);
}

function channels(count: number): string {
  return count === 1 ? '1 channel' : `${count} channels`;
}
