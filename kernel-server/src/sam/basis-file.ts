/** The file `embedding-basis.json` in a session's folder: the basis that was fitted last. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { IBasisLayer, IEmbeddingBasis } from '../../../engine/core/embedding';
import { EMBEDDING_VIEWS, EmbeddingViews } from '../../../src/shared/features';
import { LAYER_CHANNELS_MAX } from '../../../src/shared/limits';
import { explainStorage, isMissing, writeAtomically } from '../base/files';
import { log } from '../base/log';

const zNumbers = z.array(z.number()).transform(values => Float32Array.from(values));
const zLayer = z
  .object({
    layer: z.string(),
    channels: z.number().int().positive().max(LAYER_CHANNELS_MAX),
    components: z.number().int().positive().max(LAYER_CHANNELS_MAX),
    mean: zNumbers,
    matrix: zNumbers
  })
  .refine(
    ({ channels, components, mean, matrix }) => mean.length === channels && matrix.length === components * channels
  );
const zKept = z.object({
  format: z.literal(2),
  /** Digest of the image, side of the window and number of views that the basis was fitted to. */
  image: z.string(),
  window: z.number(),
  views: z.literal([...EMBEDDING_VIEWS]),
  model: z.string(),
  digest: z.string(),
  layers: z.array(zLayer).min(1)
});

/** What a basis was fitted to. */
export interface IFittedTo {
  image: string;
  window: number;
  views: EmbeddingViews;
}

/** Read a session's basis; undefined if there is none, or it is not valid. */
export async function readBasis(folder: string): Promise<(IFittedTo & { basis: IEmbeddingBasis }) | undefined> {
  const path = pathOf(folder);
  try {
    const { image, window, views, model, digest, layers } = zKept.parse(JSON.parse(await readFile(path, 'utf8')));
    return { image, window, views, basis: { model, digest, layers } };
  } catch (error) {
    if (!isMissing(error)) {
      log(`${path} is not valid; a new basis will be fitted`, error);
    }
    return undefined;
  }
}

/** Write a session's basis. */
export async function writeBasis(folder: string, to: IFittedTo, basis: IEmbeddingBasis): Promise<void> {
  const layers = basis.layers.map((layer: IBasisLayer) => ({
    ...layer,
    mean: [...layer.mean],
    matrix: [...layer.matrix]
  }));
  const json = JSON.stringify({ format: 2, ...to, model: basis.model, digest: basis.digest, layers }) + '\n';
  await writeAtomically(pathOf(folder), json).catch(async error => {
    throw await explainStorage(error, pathOf(folder), Buffer.byteLength(json));
  });
}

function pathOf(folder: string): string {
  return join(folder, 'embedding-basis.json');
}
