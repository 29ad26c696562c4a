/**
 * Trees in ONNX: a TreeEnsembleRegressor whose outputs are the votes of the classes, whole numbers below 2²⁴, so that float32 adds them
 * without rounding, in any order of the trees. A forest's votes over their sum are probabilities; those of boosted trees,
 * counted from {@link ZERO}, are logits for a softmax. (TreeEnsembleClassifier, which has that built in, is one operator of all trees and
 * would add rounded logits.)
 */
import { BridgeError } from '../../src/shared/errors';
import { Cuts } from '../core/quantile';
import { ITrees, VOTES, ZERO } from '../core/forest';
import { Attribute, Graph, ML_DOMAIN, Value } from './graph';

/**
 * Most nodes of an operator with several trees: a runtime takes a pixel through all trees of an operator before the next pixel, and is
 * several times faster if these trees stay in the processor's cache.
 */
const NODES_TOGETHER = 4096;
/** Most nodes of a file: each takes about forty bytes, and a file must have less than 2 GiB. */
const NODES_MAX = 10_000_000;

/**
 * The votes of the classes and the probabilities.
 *
 * @param features float32 [pixels, features]
 * @param scale of boosted trees; null for a forest
 * @returns votes: float32 [pixels, classes], whole numbers; shares: float32 [pixels, classes], the probabilities
 */
export function forestVotes(
  graph: Graph,
  features: Value,
  trees: ITrees,
  cuts: Cuts,
  classes: number,
  scale: number | null = null
): { votes: Value; shares: Value } {
  if (trees.feature.length > NODES_MAX) {
    throw new BridgeError(
      'invalid',
      `The forest has ${trees.feature.length} nodes; an ONNX model holds ${NODES_MAX}. Save it as .json, or grow fewer or shallower trees.`
    );
  }
  const parts: Value[] = [];
  let node = 0;
  for (let tree = 0; tree < trees.counts.length;) {
    const first = { tree, node };
    do {
      node += trees.counts[tree++]!;
    } while (tree < trees.counts.length && node - first.node + trees.counts[tree]! <= NODES_TOGETHER);
    const attributes = ensemble(trees, cuts, classes, scale === null ? 0 : ZERO, first, { tree, node });
    parts.push(graph.node('TreeEnsembleRegressor', [features], attributes, { domain: ML_DOMAIN }));
  }
  const votes = parts.reduce((sum, part) => graph.node('Add', [sum, part]));
  const shares =
    scale === null
      ? // 2000 trees at most: whole numbers in float32.
        graph.node('Div', [votes, graph.float(trees.counts.length * VOTES)])
      : graph.node('Softmax', [graph.node('Mul', [votes, graph.float(1 / scale)])], { axis: 1 });
  return { votes, shares };
}

/** Attributes of a node with the trees from `first` to before `end`. */
function ensemble(
  trees: ITrees,
  cuts: Cuts,
  classes: number,
  zero: number,
  first: { tree: number; node: number },
  end: { tree: number; node: number }
): Record<string, Attribute> {
  const nodes = end.node - first.node;
  const ints = () => new Uint32Array(nodes);
  const [treeIds, nodeIds, featureIds, left, right] = [ints(), ints(), ints(), ints(), ints()] as const;
  const values = new Float32Array(nodes);
  const modes: string[] = [];
  const targets = { trees: [] as number[], nodes: [] as number[], ids: [] as number[], weights: [] as number[] };
  let from = first.node;
  for (let tree = first.tree; tree < end.tree; tree++) {
    const count = trees.counts[tree]!;
    for (let node = 0; node < count; node++) {
      const i = from + node;
      const to = i - first.node;
      treeIds[to] = tree - first.tree;
      nodeIds[to] = node;
      const feature = trees.feature[i]!;
      modes.push(feature < 0 ? 'LEAF' : 'BRANCH_LEQ');
      if (feature >= 0) {
        featureIds[to] = feature;
        values[to] = cuts.features[feature]![trees.threshold[i]!]!;
        left[to] = trees.left[i]!;
        right[to] = trees.right[i]!;
        continue;
      }
      for (let target = 0; target < classes; target++) {
        const weight = trees.votes[trees.left[i]! * classes + target]! - zero;
        if (weight !== 0) {
          targets.trees.push(tree - first.tree);
          targets.nodes.push(node);
          targets.ids.push(target);
          targets.weights.push(weight);
        }
      }
    }
    from += count;
  }
  return {
    n_targets: classes,
    aggregate_function: 'SUM',
    post_transform: 'NONE',
    nodes_treeids: { ints: treeIds },
    nodes_nodeids: { ints: nodeIds },
    nodes_featureids: { ints: featureIds },
    nodes_modes: { texts: modes },
    nodes_values: { floats: values },
    nodes_truenodeids: { ints: left },
    nodes_falsenodeids: { ints: right },
    // NaN goes left, as in the engine.
    nodes_missing_value_tracks_true: { ints: new Uint8Array(nodes).fill(1) },
    target_treeids: { ints: targets.trees },
    target_nodeids: { ints: targets.nodes },
    target_ids: { ints: targets.ids },
    target_weights: { floats: Float32Array.from(targets.weights) }
  };
}
