/** For tests: made-up forests, a plain walk down their trees, and bins in the kernels' blocks. */
import { Rect } from '../../../src/shared/rect';
import { ITrees, joinTrees, VOTES } from '../../core/forest';

/** Votes of all trees for a row of bins, by walking down. */
export function walk(trees: ITrees, row: ArrayLike<number>, classes: number): number[] {
  const sums = new Array<number>(classes).fill(0);
  let first = 0;
  trees.counts.forEach(count => {
    let node = 0;
    while (trees.feature[first + node]! >= 0) {
      const low = row[trees.feature[first + node]!]! <= trees.threshold[first + node]!;
      node = low ? trees.left[first + node]! : trees.right[first + node]!;
    }
    const leaf = trees.left[first + node]!;
    sums.forEach((_, c) => (sums[c]! += trees.votes[leaf * classes + c]!));
    first += count;
  });
  return sums;
}

/** Bins of a tile in blocks u8 [block][feature][16]. */
export function blocksFrom(tile: Rect, features: number, bin: (pixel: number, feature: number) => number): Uint8Array {
  const rows = tile.row1 - tile.row0;
  const columns = tile.column1 - tile.column0;
  const across = Math.ceil(columns / 4);
  const out = new Uint8Array(Math.ceil(rows / 4) * across * features * 16);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const block = (row >> 2) * across + (column >> 2);
      for (let feature = 0; feature < features; feature++) {
        out[(block * features + feature) * 16 + (row & 3) * 4 + (column & 3)] = bin(row * columns + column, feature);
      }
    }
  }
  return out;
}

/**
 * Made-up trees: a node down to `depth` is divided with probability `share`, and the left-most always; thresholds are any, votes
 * are spread at random.
 */
export function madeUpForest(
  random: () => number,
  options: { trees: number; depth: number; share: number; features: number; classes: number }
): ITrees {
  const { trees, depth, share, features, classes } = options;
  const below = (n: number) => Math.floor(random() * n);
  const one = (): ITrees => {
    const nodes: { feature: number; threshold: number; left: number; right: number }[] = [];
    const votes: number[] = [];
    const queue = [{ node: 0, level: 0, leftmost: true }];
    nodes.push({ feature: -1, threshold: 0, left: 0, right: 0 });
    for (const { node, level, leftmost } of queue) {
      if (level < depth && (leftmost || random() < share)) {
        const left = nodes.length;
        nodes.push({ feature: -1, threshold: 0, left: 0, right: 0 }, { feature: -1, threshold: 0, left: 0, right: 0 });
        nodes[node] = { feature: below(features), threshold: below(255), left, right: left + 1 };
        queue.push({ node: left, level: level + 1, leftmost }, { node: left + 1, level: level + 1, leftmost: false });
      } else {
        nodes[node]!.left = votes.length / classes;
        const own = new Array<number>(classes).fill(0);
        const parts = 1 + below(3);
        for (let part = 0; part < parts; part++) {
          own[below(classes)]! += Math.floor(VOTES / parts);
        }
        own[below(classes)]! += VOTES - own.reduce((sum, vote) => sum + vote, 0);
        votes.push(...own);
      }
    }
    return {
      counts: Uint32Array.of(nodes.length),
      feature: Int16Array.from(nodes, n => n.feature),
      threshold: Uint8Array.from(nodes, n => n.threshold),
      left: Uint32Array.from(nodes, n => n.left),
      right: Uint32Array.from(nodes, n => n.right),
      votes: Uint16Array.from(votes)
    };
  };
  return joinTrees(Array.from({ length: trees }, one), classes);
}
