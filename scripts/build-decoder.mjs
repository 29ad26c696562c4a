/**
 * Make a model's decoder with all its masks: `node scripts/build-decoder.mjs MODEL OUT [IN]`
 *
 * MODEL is the id of a manifest. The package's decoder may give one mask alone and upscale it inside the graph. The values that the manifest
 * names as masks and scores become the graph's outputs, and every node, initializer and input that does not lead to them goes. The same input
 * gives the same bytes out.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { importTypeScript } from './typescript.mjs';

const { Message, readFields, readTexts } = await importTypeScript('src/shared/onnx/wire.ts');
const { Graph } = await importTypeScript('engine/onnx/graph.ts');
const { ATTRIBUTE, GRAPH, MODEL, NODE, TENSOR, VALUE_INFO } = await importTypeScript('src/shared/onnx/fields.ts');
const { MODELS } = await importTypeScript('src/shared/models/index.ts');

/**
 * Cut a model down to what its new outputs need.
 *
 * @param model bytes of an ONNX file
 * @param outputs name and shape of each new output, float32
 * @returns the bytes of the new model, and how many nodes there were and are
 */
export function cutGraph(model, outputs) {
  const modelFields = readFields(model);
  const graphField = modelFields.find(field => field.number === MODEL.graph);
  if (!graphField) {
    throw new Error('The file has no graph: it is no ONNX model.');
  }
  const fields = readFields(graphField.bytes);
  const nodes = fields
    .filter(field => field.number === GRAPH.node)
    .map(field => ({ field, outputs: readTexts(readFields(field.bytes), NODE.output) }));

  // Nodes stand in topological order, so one pass from the end finds all that is needed.
  const needed = new Set(outputs.map(output => output.name));
  const kept = new Set();
  for (const node of nodes.toReversed?.() ?? [...nodes].reverse()) {
    if (node.outputs.some(name => needed.has(name))) {
      kept.add(node.field);
      inputsOf(node.field.bytes).forEach(name => needed.add(name));
    }
  }
  const made = new Set(nodes.filter(node => kept.has(node.field)).flatMap(node => node.outputs));
  for (const { name } of outputs) {
    if (!made.has(name)) {
      throw new Error(`The graph has no value ${name}: it is not the decoder that the manifest describes.`);
    }
  }

  const stays = field => {
    switch (field.number) {
      case GRAPH.node:
        return kept.has(field);
      case GRAPH.initializer:
        return needed.has(readTexts(readFields(field.bytes), TENSOR.name)[0]);
      case GRAPH.input:
      case GRAPH.valueInfo:
        return needed.has(readTexts(readFields(field.bytes), VALUE_INFO.name)[0]);
      default:
        return field.number !== GRAPH.output;
    }
  };
  const newNames = new Set(outputs.map(output => output.name));
  const described = field =>
    field.number === GRAPH.valueInfo && newNames.has(readTexts(readFields(field.bytes), VALUE_INFO.name)[0]);
  const graph = new Message();
  fields.filter(field => stays(field) && !described(field)).forEach(field => graph.field(field));
  outputs.forEach(({ name, shape }) => graph.message(GRAPH.output, Graph.described(name, 'float', shape)));
  const cut = new Message();
  modelFields.forEach(field => (field === graphField ? cut.message(MODEL.graph, graph) : cut.field(field)));
  return { model: cut.toBytes(), nodes: { before: nodes.length, after: kept.size } };
}

/** Names that a node reads, those of its subgraphs included since they see the values outside. */
function inputsOf(node) {
  const fields = readFields(node);
  const names = readTexts(fields, NODE.input).filter(name => name !== '');
  for (const attribute of fields.filter(field => field.number === NODE.attribute)) {
    for (const { number, bytes } of readFields(attribute.bytes)) {
      if (bytes && (number === ATTRIBUTE.graph || number === ATTRIBUTE.graphs)) {
        for (const field of readFields(bytes)) {
          if (field.number === GRAPH.node) {
            names.push(...inputsOf(field.bytes));
          } else if (field.number === GRAPH.output) {
            names.push(...readTexts(readFields(field.bytes), VALUE_INFO.name));
          }
        }
      }
    }
  }
  return names;
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const [id, out, source] = process.argv.slice(2);
  const manifest = MODELS.find(model => model.id === id);
  if (!manifest || !out) {
    console.error(
      `Usage: node scripts/build-decoder.mjs MODEL OUT [IN]; models are ${MODELS.map(m => m.id).join(', ')}`
    );
    process.exit(1);
  }
  const { decoder, package: from } = manifest;
  const path = source ?? createRequire(import.meta.url).resolve(`${from.name}/${from.folder}/${decoder.source}`);
  const { model, nodes } = cutGraph(readFileSync(path), [
    { name: decoder.outputs.masks, shape: [1, decoder.masks, decoder.maskSize, decoder.maskSize] },
    { name: decoder.outputs.scores, shape: [1, decoder.masks] }
  ]);
  mkdirSync(dirname(resolve(out)), { recursive: true });
  // Nobody who reads it meanwhile may see half a file.
  writeFileSync(`${out}.part`, model);
  renameSync(`${out}.part`, out);
  console.log(`decoder: ${nodes.after} of ${nodes.before} nodes, ${(model.length / 1e6).toFixed(1)} MB → ${out}`);
}
