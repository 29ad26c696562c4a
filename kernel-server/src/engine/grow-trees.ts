/** Grows a random forest or boosted trees on the pool: divides the trees into tasks, limits the memory, and joins the results. */
import { BridgeError } from '../../../src/shared/errors';
import { isBoosting, BoostingParams, ForestParams, LearnerParams } from '../../../src/shared/learners';
import { Scores } from '../../../src/shared/protocol';
import {
  boostBytes,
  BoostGrower,
  boostingScale,
  featuresTried,
  forestImportance,
  growBytes,
  holdOut,
  ITrainingSet,
  ITrees,
  joinTrees,
  outOfBagConfusion,
  outOfBagScore,
  silentTree
} from '../../../engine';
import { EnginePool } from './pool';
import { IBoosted, IBoostTask, IGrowTask } from './tasks';
import { IJobContext } from '../jobs/job-context';

/** Tasks per thread: enough for even loads and progress, few enough that adding their out-of-bag votes stays cheap. */
const TASKS_PER_THREAD = 5;
/** Longest time of a task in seconds, since a thread may finish its task after the job was cancelled. */
const TASK_SECONDS = 0.1;
/** Seconds per row and level of a tree: to pass the row down, and per feature tried. Measured on one core, rounded up. */
const ROW_SECONDS = 4e-9;
const ROW_FEATURE_SECONDS = 2e-9;
/** Memory of one thread for growing. */
const THREAD_BYTES = 2 ** 30;

/** The grown trees and their scores, as a classifier stores them. */
export interface IGrown {
  trees: ITrees;
  /** Boosted trees: the integer that stands for a logit of 1. Null for a forest. */
  scale: number | null;
  importance: number[];
  oobScore: number | null;
  scores: Scores | null;
}

/** Trees per task, from an estimate of the work: few enough that a cancelled task ends soon. */
export function treesPerTask(rows: number, features: number, forest: ForestParams, threads: number): number {
  const levels = Math.min(forest.maxDepth, 1 + Math.log2(Math.max(2, rows / forest.minLeaf)));
  const tried = featuresTried(forest.maxFeatures, features);
  const seconds = rows * levels * (ROW_SECONDS + tried * ROW_FEATURE_SECONDS);
  const even = Math.ceil(forest.trees / (threads * TASKS_PER_THREAD));
  return Math.max(1, Math.min(even, Math.floor(TASK_SECONDS / seconds)));
}

/**
 * Check that a thread's memory is enough for the labelled pixels.
 *
 * @throws BridgeError `invalid`, with a number of pixels that fits.
 */
export function expectRoom(rows: number, features: number, classes: number, params: LearnerParams): void {
  const size = { rows, features, classes };
  const bytes = isBoosting(params) ? boostBytes(size, params) : growBytes(size, params.maxDepth);
  if (bytes > THREAD_BYTES) {
    // Memory that does not depend on the rows is at most one hundredth.
    const most = Math.floor((0.99 * rows * THREAD_BYTES) / bytes / 1000) * 1000;
    throw new BridgeError(
      'invalid',
      `Training on ${rows} labelled pixels with ${features} features takes ${Math.ceil(bytes / 2 ** 20)} MiB in each thread, ` +
        `more than ${THREAD_BYTES / 2 ** 20}; forest.maxSamples up to ${most} will do.`
    );
  }
}

/**
 * Grow the trees of a classifier.
 *
 * @param jobs returns a number that no other job of the pool has
 * @param strokes the stroke number of each row, for boosting: it holds out whole strokes
 */
export function growTrees(
  pool: EnginePool,
  jobs: () => number,
  set: ITrainingSet,
  strokes: Uint32Array | undefined,
  params: LearnerParams,
  context: IJobContext
): Promise<IGrown> {
  return isBoosting(params)
    ? growBoosted(pool, jobs, set, strokes, params, context)
    : growForest(pool, jobs(), set, params, context);
}

async function growForest(
  pool: EnginePool,
  job: number,
  set: ITrainingSet,
  forest: ForestParams,
  context: IJobContext
): Promise<IGrown> {
  const rows = set.classOf.length;
  const group = treesPerTask(rows, set.features, forest, pool.threads);
  // All threads add their votes; the order does not matter, since votes are integers.
  const outOfBag = new Uint32Array(new SharedArrayBuffer(rows * set.classes * 4));
  const tasks = Array.from({ length: Math.ceil(forest.trees / group) }, (_, i): IGrowTask => {
    const first = i * group;
    return { kind: 'grow', job, set, options: forest, first, end: Math.min(forest.trees, first + group), outOfBag };
  });
  const parts: ITrees[] = [];
  const importance = new Float64Array(forest.trees * set.features);
  let done = 0;
  context.progress('growing trees', 0, forest.trees);
  await pool.runAll(tasks, context.signal, (result, i) => {
    parts[i] = result.trees;
    importance.set(result.importance, tasks[i]!.first * set.features);
    done += tasks[i]!.end - tasks[i]!.first;
    context.progress('growing trees', done, forest.trees);
  });
  const votes = outOfBag.slice();
  const oobScore = outOfBagScore(votes, set.classOf, set.classes);
  const confusion = outOfBagConfusion(votes, set.classOf, set.classes);
  return {
    trees: joinTrees(parts, set.classes),
    scale: null,
    importance: forestImportance(importance, set.features),
    oobScore,
    scores: oobScore === null ? null : { source: 'out-of-bag', confusion }
  };
}

/**
 * Grow two ensembles, in parallel if there are two threads. One leaves out the held-out strokes and finds the best number of rounds; the other
 * uses all pixels, and is cut to that number.
 */
async function growBoosted(
  pool: EnginePool,
  jobs: () => number,
  set: ITrainingSet,
  strokes: Uint32Array | undefined,
  params: BoostingParams,
  context: IJobContext
): Promise<IGrown> {
  const { rounds: most, patience, seed } = params;
  const held = strokes ? holdOut(strokes, set.classOf, set.classes, seed) : null;
  const stops = held !== null && held.enough && patience !== null;
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  let wanted = most;
  let best = { round: most, loss: Infinity, confusion: [] as number[][] };
  const trees: (ITrees | null)[] = [];
  const gains: Float64Array[] = [];
  const tell = () => context.progress('growing trees', Math.min(trees.length, wanted), wanted);

  const find = async (without: Uint8Array) => {
    await inTurn(pool, jobs(), set, without, params, signal, (round, { heldOut: { loss, confusion } }) => {
      if (!stops || loss < best.loss) {
        best = { round: round + 1, loss, confusion };
      }
      return !stops || round + 1 - best.round < patience;
    });
    if (stops) {
      wanted = best.round;
      tell();
    }
  };
  const grow = () =>
    inTurn(pool, jobs(), set, null, params, signal, (round, { trees: tree, importance }) => {
      trees.push(tree);
      gains.push(importance);
      tell();
      return round + 1 < wanted;
    });

  tell();
  try {
    await Promise.all([...(held ? [find(held.rows)] : []), grow()]);
  } catch (error) {
    failed.abort();
    throw error;
  }
  const kept = trees.slice(0, wanted).filter(tree => tree !== null);
  const gained = new Float64Array(wanted * set.features);
  gains.slice(0, wanted).forEach((gain, round) => gained.set(gain, round * set.features));
  return {
    trees: joinTrees(kept.length > 0 ? kept : [silentTree(set.classes)], set.classes),
    scale: boostingScale(params),
    importance: forestImportance(gained, set.features),
    oobScore: null,
    scores: held && { source: 'held-out', confusion: best.confusion }
  };
}

/**
 * Grow the rounds of one ensemble, one task after another, on any thread: a round depends on the earlier ones only by the rows' scores.
 *
 * @param each receives each round; returns whether to continue
 */
async function inTurn(
  pool: EnginePool,
  job: number,
  set: ITrainingSet,
  held: Uint8Array | null,
  params: BoostingParams,
  signal: AbortSignal,
  each: (round: number, result: IBoosted) => boolean
): Promise<void> {
  const length = BoostGrower.scoresLength(set.classOf.length, set.classes);
  const scores = new Int32Array(new SharedArrayBuffer(length * 4));
  let step = 1;
  for (let first = 0; first < params.rounds;) {
    const end = Math.min(params.rounds, first + step);
    const start = performance.now();
    const task: IBoostTask = { kind: 'boost', job, set, held, params, first, end, scores };
    const results = await pool.run(task, signal);
    const seconds = (performance.now() - start) / 1000;
    if (!results.every((result, i) => each(first + i, result))) {
      return;
    }
    // As many rounds as fit the time limit, judged by the last task. Its time includes waiting for a thread, so tasks are rather too short.
    step = Math.max(1, Math.min(2 * step, Math.floor((TASK_SECONDS * step) / Math.max(seconds, 1e-6))));
    first = end;
  }
}
