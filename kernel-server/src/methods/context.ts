/** The objects that the handlers work with, made in one place from the services and stores of the sidecar. */
import { join } from 'node:path';
import { ArrayStore } from '../arrays/array-store';
import { IEngineService, ISamService } from '../jobs/services';
import { Jobs } from '../jobs/jobs';
import { ClassifierJobs } from '../learning/classifier-jobs';
import { ComputeJobs } from '../learning/compute-jobs';
import { Corrections } from '../learning/corrections';
import { Interpolation } from '../learning/interpolation';
import { LiveRounds } from '../learning/live-rounds';
import { Regions } from '../next-region/regions';
import { Uncertainty } from '../next-region/uncertainty';
import { PhaseFractions } from '../phases/phase-fractions';
import { DecoderThreads } from '../sam/decoder-thread';
import { ObjectCarrier } from '../sam/object-carrier';
import { PromptDecoder } from '../sam/prompt-decoder';
import { SimilarFinder } from '../sam/similar-finder';
import { EncoderResults } from '../sam/encoder-results';
import { PromptModels } from '../sam/prompt-models';
import { SliceEmbeddings } from '../sam/slice-embeddings';
import { ClassSets } from '../session/class-sets';
import { Histograms } from '../session/histograms';
import { Backups } from '../session/backups';
import { SessionList } from '../session/session-list';
import { Sessions } from '../session/sessions';
import { Peers } from '../transport/peers';
import { SessionEvents } from '../transport/session-events';
import { Staging } from '../transport/staging';

/** What the sidecar gives to the handlers. */
export interface IMethodOptions {
  /** Names this run of the sidecar. */
  instance: string;
  dataDir: string;
  engine: IEngineService;
  sam: ISamService;
  models: PromptModels;
  decoderThreads: DecoderThreads;
  store: ArrayStore;
  sessions: Sessions;
  sessionList: SessionList;
  peers: Peers;
  events: SessionEvents;
  jobs: Jobs;
  staging: Staging;
  /** Stop the sidecar. */
  leave(): void;
}

/** What every handler may use. */
export interface IMethodContext extends IMethodOptions {
  embeddings: SliceEmbeddings;
  classifiers: ClassifierJobs;
  compute: ComputeJobs;
  carrier: ObjectCarrier;
  prompts: PromptDecoder;
  finder: SimilarFinder;
  interpolation: Interpolation;
  corrections: Corrections;
  live: LiveRounds;
  backups: Backups;
  classSets: ClassSets;
  histograms: Histograms;
  uncertainty: Uncertainty;
  regions: Regions;
  phases: PhaseFractions;
}

/** Make the parts that compute, on top of `options`. */
export function createContext(options: IMethodOptions): IMethodContext {
  const { engine, store, jobs, peers, events } = options;
  const kept = new EncoderResults({
    directory: join(options.dataDir, 'embeddings'),
    bytesMax: EncoderResults.bytesOf(process.env['SAMBALAB_EMBEDDINGS_BYTES'])
  });
  const compute = new ComputeJobs({ ...options, kept });
  const { classifiers, embeddings } = compute;
  const { learner } = classifiers;
  const live = new LiveRounds({
    engine,
    store,
    jobs,
    peers,
    learner,
    embeddings,
    segmented: session => events.segmented(session)
  });
  const uncertainty = new Uncertainty({ engine, store, classifiers });
  const backups = new Backups(store);
  const classSets = new ClassSets(options.dataDir);
  const histograms = new Histograms();
  const regions = new Regions({ engine, jobs, uncertainty, embeddings });
  const phases = new PhaseFractions({ engine, uncertainty });
  const interpolation = new Interpolation({ engine, jobs });
  const carrier = new ObjectCarrier({ ...options, embeddings });
  const prompts = new PromptDecoder({ models: options.models, embeddings, threads: options.decoderThreads });
  const finder = new SimilarFinder({ ...options, embeddings });
  const corrections = new Corrections({ engine, jobs });
  return {
    ...options,
    compute,
    carrier,
    prompts,
    finder,
    interpolation,
    corrections,
    classifiers,
    embeddings,
    live,
    backups,
    classSets,
    histograms,
    uncertainty,
    regions,
    phases
  };
}
