/**
 * The check of trees from outside. The kernels trust trees that pass: they neither read beyond an array nor walk in a circle.
 * `sambalab/spec/forest.py` has the same rules in Python.
 */
import { DEPTH_MAX } from '../../src/shared/limits';
import { ITrees, leafSum, VOTES } from './forest';

/**
 * Find the first fault: every node but the root is the child of one node before it; features and cuts exist; leaves are numbered from 0, each
 * number once, and their votes have the sum that they must have.
 *
 * @param cuts number of cuts of each feature
 * @param scale of boosted trees; null for a forest
 * @returns the first fault in words, or undefined
 */
export function faultOfTrees(
  trees: ITrees,
  classes: number,
  cuts: ArrayLike<number>,
  scale: number | null = null
): string | undefined {
  const { counts, feature, threshold, left, right, votes } = trees;
  const leaves = votes.length / classes;
  const nodes = feature.length;
  if (counts.length < 1) {
    return 'there is no tree';
  }
  const empty = counts.indexOf(0);
  if (empty >= 0) {
    return `tree ${empty} has no node`;
  }
  const counted = counts.reduce((sum, count) => sum + count, 0);
  if (counted !== nodes) {
    return `counts add up to ${counted}, there are ${nodes} nodes`;
  }
  for (const name of ['threshold', 'left', 'right'] as const) {
    if (trees[name].length !== nodes) {
      return `${name} has ${trees[name].length} values for ${nodes} nodes`;
    }
  }
  if (!Number.isInteger(leaves)) {
    return `${votes.length} votes are not those of ${classes} classes`;
  }
  const numbered = new Uint8Array(leaves);
  const longest = counts.reduce((most, count) => Math.max(most, count), 0);
  /** Depths of the tree's nodes, counted from 1 at the root; 0 before a parent was found. */
  const depths = new Uint8Array(longest);
  let first = 0;
  for (let t = 0; t < counts.length; t++) {
    const count = counts[t]!;
    depths.fill(0, 0, count);
    depths[0] = 1;
    for (let i = 0; i < count; i++) {
      const node = first + i;
      const where = () => `node ${i} of tree ${t}`;
      const depth = depths[i]!;
      if (depth === 0) {
        return `${where()} is no node's child`;
      }
      const f = feature[node]!;
      if (f === -1) {
        const leaf = left[node]!;
        if (leaf >= leaves || numbered[leaf]) {
          return `${where()} is leaf ${leaf}; leaves have different numbers below ${leaves}`;
        }
        if (right[node] !== 0 || threshold[node] !== 0) {
          return `${where()} is a leaf, whose right child and threshold must be 0, not ${right[node] || threshold[node]}`;
        }
        numbered[leaf] = 1;
        continue;
      }
      if (f < 0 || f >= cuts.length) {
        return `${where()} has feature ${f}; features are 0 to ${cuts.length - 1}, and -1 in leaves`;
      }
      if (threshold[node]! >= cuts[f]!) {
        return `${where()} has cut ${threshold[node]}, feature ${f} has ${cuts[f]}`;
      }
      if (depth > DEPTH_MAX) {
        return `${where()} is deeper than ${DEPTH_MAX} splits`;
      }
      for (const child of [left[node]!, right[node]!]) {
        if (child <= i || child >= count || depths[child]) {
          return `${where()} has child ${child}, which is before it, beyond the tree or another node's child`;
        }
        depths[child] = depth + 1;
      }
    }
    first += count;
  }
  const missing = numbered.indexOf(0);
  if (missing >= 0) {
    return `leaf ${missing} has votes, but is in no tree`;
  }
  const wanted = leafSum(scale, classes);
  for (let leaf = 0; leaf < leaves; leaf++) {
    let sum = 0;
    let most = 0;
    for (let c = 0; c < classes; c++) {
      const vote = votes[leaf * classes + c]!;
      sum += vote;
      most = Math.max(most, vote);
    }
    if (sum !== wanted) {
      return `the votes of leaf ${leaf} add up to ${sum}, not ${wanted}`;
    }
    if (most > VOTES) {
      return `leaf ${leaf} has a vote of ${most}, above ${VOTES}`;
    }
  }
  return undefined;
}
