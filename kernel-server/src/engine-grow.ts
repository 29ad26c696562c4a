/** Growing a forest on the pool: how many trees make a task, what a training may take, and how the parts come together. */
import { BridgeError } from '../../src/kernel-bridge/errors';
import { ForestParams } from '../../src/kernel-bridge/protocol';
import { featuresTried, forestImportance, growBytes, ITrainingSet, ITrees, joinTrees } from '../../engine';
import { EnginePool } from './engine-pool';
import { IGrowTask } from './engine-tasks';
import { IJobContext } from './interfaces';

/** Tasks for each thread: enough for even loads and true progress, few for their out-of-bag votes to be added. */
const TASKS_PER_THREAD = 5;
/** Seconds that a task should take at most: a thread finishes its task although the job was cancelled. */
const TASK_SECONDS = 0.1;
/** Seconds that one row costs at one level of a tree: to be handed down, and for each feature tried. Measured on one core, rounded up. */
const ROW_SECONDS = 4e-9;
const ROW_FEATURE_SECONDS = 2e-9;
/** Bytes that one thread has for growing. */
const THREAD_BYTES = 2 ** 30;

/** What the threads found out. */
export interface IGrown {
  trees: ITrees;
  importance: number[];
  /** Votes [row][class] of the trees that did not see the row. */
  outOfBag: Uint32Array;
}

/** Trees that one task grows: few enough to be cancelled soon, by an estimate of the work. */
export function treesPerTask(rows: number, features: number, forest: ForestParams, threads: number): number {
  const levels = Math.min(forest.maxDepth, 1 + Math.log2(Math.max(2, rows / forest.minLeaf)));
  const tried = featuresTried(forest.maxFeatures, features);
  const seconds = rows * levels * (ROW_SECONDS + tried * ROW_FEATURE_SECONDS);
  const even = Math.ceil(forest.trees / (threads * TASKS_PER_THREAD));
  return Math.max(1, Math.min(even, Math.floor(TASK_SECONDS / seconds)));
}

/**
 * Refuse more labelled pixels than a thread has memory for.
 *
 * @throws BridgeError `invalid`, naming how many will do.
 */
export function expectRoom(rows: number, features: number, classes: number, forest: ForestParams): void {
  const bytes = growBytes({ rows, features, classes }, forest.maxDepth);
  if (bytes > THREAD_BYTES) {
    // What does not depend on the rows is a hundredth at most.
    const most = Math.floor((0.99 * rows * THREAD_BYTES) / bytes / 1000) * 1000;
    throw new BridgeError(
      'invalid',
      `Training on ${rows} labelled pixels with ${features} features takes ${Math.ceil(bytes / 2 ** 20)} MiB in each thread, ` +
        `more than ${THREAD_BYTES / 2 ** 20}; forest.maxSamples up to ${most} will do.`
    );
  }
}

/** Grow a forest; `job` is a number that no other job of the pool has. */
export async function growForest(
  pool: EnginePool,
  job: number,
  set: ITrainingSet,
  forest: ForestParams,
  context: IJobContext
): Promise<IGrown> {
  const rows = set.classOf.length;
  const group = treesPerTask(rows, set.features, forest, pool.threads);
  // Threads add to it: whole numbers, in any order.
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
  return {
    trees: joinTrees(parts, set.classes),
    importance: forestImportance(importance, set.features),
    outOfBag: outOfBag.slice()
  };
}
