import { silentTree } from '../boosting';
import { ITrees, VOTES } from '../forest';
import { faultOfTrees } from '../tree-check';
import { randomSource } from '../../__tests__/support/engine';
import { madeUpForest } from '../../__tests__/support/forests';

const FEATURES = 4;
const CLASSES = 3;
const CUTS = [255, 255, 255, 255];

function sound(): ITrees {
  return madeUpForest(randomSource(5), { trees: 4, depth: 5, share: 0.8, features: FEATURES, classes: CLASSES });
}

/** The first node, after the first tree's, that is a leaf or is not. */
function find(trees: ITrees, leaf: boolean): number {
  return trees.feature.findIndex((f, i) => i > 1 && f < 0 === leaf);
}

describe('trees from outside', () => {
  it('are accepted if they are sound', () => {
    expect(faultOfTrees(sound(), CLASSES, CUTS)).toBeUndefined();
  });

  it.each<[string, (trees: ITrees) => Partial<ITrees> | void, RegExp]>([
    ['no tree', () => ({ counts: new Uint32Array(0) }), /there is no tree/],
    ['a tree without nodes', trees => void (trees.counts[1] = 0), /tree 1 has no node/],
    ['counts beyond the nodes', trees => void (trees.counts[3]! += 2), /counts add up to/],
    ['an enormous count', trees => void (trees.counts[0] = 0xffffffff), /counts add up to/],
    ['nodes of no tree', trees => ({ counts: trees.counts.slice(0, 3) }), /counts add up to/],
    ['fields of other lengths', trees => ({ right: trees.right.slice(1) }), /right has/],
    ['votes of other classes', trees => ({ votes: trees.votes.slice(1) }), /are not those of 3 classes/],
    ['votes of a leaf too many', trees => ({ votes: Uint16Array.from([...trees.votes, VOTES, 0, 0]) }), /in no tree/],
    ['an unknown feature', trees => void (trees.feature[0] = 4), /node 0 of tree 0 has feature 4/],
    ['a feature below -1', trees => void (trees.feature[0] = -2), /node 0 of tree 0 has feature -2/],
    ['an unknown cut', trees => void ((trees.feature[0] = 3), (trees.threshold[0] = 255)), /has cut 255/],
    ['a child before its parent', trees => void (trees.left[find(trees, false)] = 0), /has child 0/],
    ['a child beyond the tree', trees => void (trees.right[0] = trees.counts[0]!), /beyond the tree/],
    ['a child far away', trees => void (trees.left[0] = 0xfffffff0), /beyond the tree/],
    ['two parents of a node', trees => void (trees.right[0] = trees.left[0]!), /another node's child/],
    ['a leaf number twice', trees => void (trees.left[find(trees, true)] = trees.left.at(-1)!), /is leaf/],
    ['a leaf number too large', trees => void (trees.left[find(trees, true)] = 0x7fffffff), /is leaf 2147483647/],
    ['a leaf with a threshold', trees => void (trees.threshold[find(trees, true)] = 9), /must be 0, not 9/],
    ['a leaf with a child', trees => void (trees.right[find(trees, true)] = 1), /must be 0, not 1/],
    ['votes that do not add up', trees => void trees.votes.fill(1, 3, 6), /votes of leaf 1 add up to 3/]
  ])('are refused with %s', (_, damage, reason) => {
    const trees = sound();
    const damaged = { ...trees, ...damage(trees) };
    expect(faultOfTrees(damaged, CLASSES, CUTS)).toMatch(reason);
  });

  it('are refused or harmless with any byte changed', () => {
    const random = randomSource(31);
    const fields = ['counts', 'feature', 'threshold', 'left', 'right', 'votes'] as const;
    let refused = 0;
    for (let run = 0; run < 500; run++) {
      const trees = sound();
      const field = trees[fields[run % fields.length]!];
      const bytes = new Uint8Array(field.buffer);
      bytes[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8);
      refused += faultOfTrees(trees, CLASSES, CUTS) === undefined ? 0 : 1;
    }
    // A change of a feature or a threshold may give another sound forest.
    expect(refused).toBeGreaterThan(300);
    expect(refused).toBeLessThan(500);
  });

  it('are refused if a node has no parent', () => {
    const trees = sound();
    const node = find(trees, false);
    // A split turned into a leaf: its children are left over.
    trees.feature[node] = -1;
    trees.threshold[node] = 0;
    trees.right[node] = 0;
    trees.left[node] = trees.votes.length / CLASSES - 1;
    expect(faultOfTrees(trees, CLASSES, CUTS)).toMatch(/no node's child/);
  });

  it('are refused with a vote too large for 16-bit sums, although the votes add up', () => {
    const trees = { ...silentTree(CLASSES), votes: Uint16Array.of(1100, 400, 36) };
    expect(faultOfTrees(silentTree(CLASSES), CLASSES, CUTS, 100)).toBeUndefined();
    expect(faultOfTrees(trees, CLASSES, CUTS, 100)).toMatch(/leaf 0 has a vote of 1100/);
    expect(faultOfTrees(silentTree(CLASSES), CLASSES, CUTS)).toMatch(/add up to 1536, not 1024/);
  });
});
