/** Trees from outside, checked: what passes can be applied without looking beyond an array or walking in a circle. */
import { ITrees, leafSum, VOTES } from './forest';

/** No tree is deeper; `maxDepth` of the protocol says the same. */
export const DEPTH_MAX = 64;

/**
 * Find what is wrong with trees: every node but the root has one parent, which stands before it; features and cuts are there; leaves are numbered
 * once each, and their votes have the sum that they must have.
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
  const numbered = new Uint8Array(leaves);
  const longest = counts.reduce((most, count) => Math.max(most, count), 0);
  /** Depth of a node that was reached, counted from 1 at the root. */
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
        return `${where()} is nobody's child`;
      }
      const f = feature[node]!;
      if (f === -1) {
        const leaf = left[node]!;
        if (leaf >= leaves || numbered[leaf]) {
          return `${where()} is leaf ${leaf}, which is another's number or not below ${leaves}`;
        }
        if (right[node] !== 0 || threshold[node] !== 0) {
          return `${where()} is a leaf, whose right child and threshold must be 0`;
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
          return `${where()} has child ${child}, which is before it, beyond ${count} or another's`;
        }
        depths[child] = depth + 1;
      }
    }
    first += count;
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
