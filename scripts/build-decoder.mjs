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
import { importTypeScript } from './typescript.mjs';

const { ModelCutter } = await importTypeScript('src/shared/onnx/cut.ts');
const { MODELS } = await importTypeScript('src/shared/models/index.ts');

const [id, out, source] = process.argv.slice(2);
const manifest = MODELS.find(model => model.id === id);
if (!manifest || !out) {
  console.error(`Usage: node scripts/build-decoder.mjs MODEL OUT [IN]; models are ${MODELS.map(m => m.id).join(', ')}`);
  process.exit(1);
}
const { decoder, package: from } = manifest;
const path = source ?? createRequire(import.meta.url).resolve(`${from.name}/${from.folder}/${decoder.source}`);

/** @returns the decoder's bytes, and how many nodes it and the package's file have */
function decoderIn(file) {
  try {
    const whole = new ModelCutter(readFileSync(file));
    const cut = whole.cut([
      { name: decoder.outputs.masks, shape: [1, decoder.masks, decoder.maskSize, decoder.maskSize] },
      { name: decoder.outputs.scores, shape: [1, decoder.masks] }
    ]);
    return { ...cut, before: whole.nodes };
  } catch (error) {
    console.error(`${error.message} The file ${file} is not the decoder that the manifest describes.`);
    process.exit(1);
  }
}

const { model, nodes, before } = decoderIn(path);
mkdirSync(dirname(resolve(out)), { recursive: true });
// Nobody who reads it meanwhile may see half a file.
writeFileSync(`${out}.part`, model);
renameSync(`${out}.part`, out);
console.log(`decoder: ${nodes} of ${before} nodes, ${(model.length / 1e6).toFixed(1)} MB → ${out}`);
