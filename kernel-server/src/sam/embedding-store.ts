/** What is kept of reduced embeddings: maps in memory up to a number of bytes, and a session's basis in its folder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { IBasisLayer, IEmbeddingBasis, ISliceEmbedding } from '../../../engine/core/embedding';
import { EmbeddingSpec } from '../../../src/shared/features';
import { explainFull, isMissing, writeAtomically } from '../base/files';
import { log } from '../base/log';

/** Maps that are kept in memory have at most so many bytes. */
const CACHE_BYTES = 256 << 20;

/** Maps by keys; those not used for longest are forgotten when there are too many bytes. */
export class MapCache {
  constructor(private readonly _limit = CACHE_BYTES) {}

  has(key: string): boolean {
    return this._entries.has(key);
  }

  get(key: string): ISliceEmbedding | undefined {
    const maps = this._entries.get(key);
    if (maps) {
      this._entries.delete(key);
      this._entries.set(key, maps);
    }
    return maps;
  }

  /** Keep maps; these are kept even if they alone are more than the limit. */
  set(key: string, maps: ISliceEmbedding): void {
    this.forget(other => other === key);
    this._entries.set(key, maps);
    this._bytes += bytesOf(maps);
    for (const oldest of this._entries.keys()) {
      if (this._bytes <= this._limit || oldest === key) {
        return;
      }
      this.forget(other => other === oldest);
    }
  }

  forget(which: (key: string) => boolean): void {
    for (const [key, maps] of this._entries) {
      if (which(key)) {
        this._entries.delete(key);
        this._bytes -= bytesOf(maps);
      }
    }
  }

  private readonly _entries = new Map<string, ISliceEmbedding>();
  private _bytes = 0;
}

function bytesOf(maps: ISliceEmbedding): number {
  return maps.reduce((sum, { data }) => sum + data.byteLength, 0);
}

/** Whether a basis gives what a spec asks for, by this model. */
export function fits(basis: IEmbeddingBasis, { layers }: EmbeddingSpec, digest: string): boolean {
  const names = (list: readonly { layer: string; components: number }[]) =>
    list.map(({ layer, components }) => `${layer}:${components}`).join();
  return basis.digest === digest && names(basis.layers) === names(layers);
}

const zNumbers = z.array(z.number()).transform(values => Float32Array.from(values));
const zLayer = z
  .object({
    layer: z.string(),
    channels: z.number().int().positive().max(4096),
    components: z.number().int().positive().max(4096),
    mean: zNumbers,
    matrix: zNumbers
  })
  .refine(
    ({ channels, components, mean, matrix }) => mean.length === channels && matrix.length === components * channels
  );
const zKept = z.object({
  format: z.literal(1),
  /** Digest of the image and side of the window that it was fitted to. */
  image: z.string(),
  window: z.number(),
  model: z.string(),
  digest: z.string(),
  layers: z.array(zLayer).min(1)
});

/** What a basis was fitted to. */
export interface IFittedTo {
  image: string;
  window: number;
}

/** Read a session's basis; undefined if there is none that can be understood. */
export async function readBasis(folder: string): Promise<(IFittedTo & { basis: IEmbeddingBasis }) | undefined> {
  const path = pathOf(folder);
  try {
    const { image, window, model, digest, layers } = zKept.parse(JSON.parse(await readFile(path, 'utf8')));
    return { image, window, basis: { model, digest, layers } };
  } catch (error) {
    if (!isMissing(error)) {
      log(`${path} cannot be understood; what SAM sees is reduced anew`, error);
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
  const json = JSON.stringify({ format: 1, ...to, model: basis.model, digest: basis.digest, layers }) + '\n';
  await writeAtomically(pathOf(folder), json).catch(async error => {
    throw await explainFull(error, pathOf(folder), Buffer.byteLength(json));
  });
}

function pathOf(folder: string): string {
  return join(folder, 'embedding-basis.json');
}
