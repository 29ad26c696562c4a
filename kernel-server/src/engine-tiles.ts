/**
 * Tiles of quantised features, computed once and kept: training again after more labels computes no feature. Each image and spec has one
 * set of cuts, found on the first tiles that are asked for and never changed, so bins stay comparable.
 */
import { createHash } from 'node:crypto';
import { FeatureSpec } from '../../src/kernel-bridge/features';
import { ArrayDescriptor } from '../../src/kernel-bridge/protocol';
import { Cuts, featureKey, featureNames, ITile, planeFloats, samplePositions } from '../../engine';
import { EnginePool } from './engine-pool';
import { ICutsTask, IPlanesTask, IQuantiseTask } from './engine-tasks';
import { IJobContext } from './interfaces';

/** Side of a tile of features in pixels. */
export const FEATURE_TILE = 256;
/** Pixels whose features the cuts are found on. */
const SAMPLE = 16384;
/** Tiles of float32 features that are held while cuts are found; all of a small image, so that none is computed twice. */
const PLANES_BYTES = 192 << 20;
const SAMPLE_TILES_MIN = 2;

/** A tile and where it is. */
export interface IPlacedTile {
  slice: number;
  tile: ITile;
}

/** Where cached features belong: an image under a spec. */
export interface IFeatureSource {
  image: ArrayDescriptor;
  spec: FeatureSpec;
  cacheKey: string;
}

/** The tiles of a slice, row by row. */
export function tilesOf(rows: number, columns: number, slice: number, side = FEATURE_TILE): IPlacedTile[] {
  const tiles: IPlacedTile[] = [];
  for (let row0 = 0; row0 < rows; row0 += side) {
    for (let column0 = 0; column0 < columns; column0 += side) {
      const row1 = Math.min(rows, row0 + side);
      const column1 = Math.min(columns, column0 + side);
      tiles.push({ slice, tile: { row0, row1, column0, column1 } });
    }
  }
  return tiles;
}

/** Memory that worker threads see too. */
export function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length));
}

export function sharedFloats(length: number): Float32Array {
  return new Float32Array(new SharedArrayBuffer(length * 4));
}

/** Cuts, padded to 256 a feature, and a name that is the same for equal cuts. */
export interface INamedCuts {
  padded: Float32Array;
  name: string;
}

export function nameCuts(cuts: Cuts): INamedCuts {
  const padded = sharedFloats(cuts.features.length * 256);
  padded.set(cuts.padded());
  return { padded, name: nameOf(padded) };
}

function nameOf(padded: Float32Array): string {
  return createHash('sha256').update(new Uint8Array(padded.slice().buffer)).digest('hex').slice(0, 32);
}

export class FeatureTiles {
  constructor(
    private readonly _pool: EnginePool,
    private readonly _cacheBytes: number
  ) {}

  /** Bytes of features that are kept. */
  get bytes(): number {
    return this._bytes;
  }

  /** Where the bins of a tile are kept under some cuts. */
  keyOf(
    { cacheKey, spec }: Pick<IFeatureSource, 'cacheKey' | 'spec'>,
    cuts: string,
    { slice, tile }: IPlacedTile
  ): string {
    return `${cacheKey} ${featureKey(spec)} ${cuts} ${slice} ${tile.row0} ${tile.column0}`;
  }

  /** The bins of a tile if they are kept: u8 [block][feature][16]. */
  find(key: string): Uint8Array | undefined {
    const found = this._tiles.get(key);
    if (found) {
      this._tiles.delete(key);
      this._tiles.set(key, found);
    }
    return found;
  }

  /** Keep the bins of a tile, and let the longest unused go. */
  keep(key: string, blocks: Uint8Array): void {
    this._bytes += blocks.byteLength - (this._tiles.get(key)?.byteLength ?? 0);
    this._tiles.delete(key);
    this._tiles.set(key, blocks);
    for (const [old, { byteLength }] of this._tiles) {
      if (this._bytes <= this._cacheBytes) {
        break;
      }
      this._tiles.delete(old);
      this._bytes -= byteLength;
    }
  }

  /** The cuts of an image under a spec, found if there are none yet. */
  async cuts(source: IFeatureSource, context: IJobContext): Promise<INamedCuts> {
    const key = `${source.cacheKey} ${featureKey(source.spec)}`;
    const found = this._cuts.get(key);
    if (found) {
      this._cuts.delete(key);
      this._cuts.set(key, found);
      return found;
    }
    const { image, spec } = source;
    const [slices, rows, columns, channels = 1] = image.shape as [number, number, number, number?];
    const features = featureNames(spec, channels).length;
    const perSlice = tilesOf(rows, columns, 0);
    const all = slices * perSlice.length;
    const largest = planeFloats(perSlice[0]!.tile, features) * 4;
    const most = Math.max(SAMPLE_TILES_MIN, Math.floor(PLANES_BYTES / largest));
    const chosen = Array.from(samplePositions(all, most), i => ({
      ...perSlice[i % perSlice.length]!,
      slice: Math.floor(i / perSlice.length)
    }));
    const area = ({ tile }: IPlacedTile) => (tile.row1 - tile.row0) * (tile.column1 - tile.column0);
    const pixels = chosen.reduce((sum, placed) => sum + area(placed), 0);
    const positions = chosen.map(placed =>
      samplePositions(area(placed), Math.max(1, Math.round((SAMPLE * area(placed)) / pixels)))
    );
    const length = positions.reduce((sum, list) => sum + list.length, 0);
    const values = sharedFloats(features * length);
    let offset = 0;
    const tasks = chosen.map(({ slice, tile }, i): IPlanesTask => {
      const sample = { values, positions: positions[i]!, offset, length };
      offset += positions[i]!.length;
      return { kind: 'planes', image, slice, tile, spec, planes: sharedFloats(planeFloats(tile, features)), sample };
    });
    let done = 0;
    await this._pool.runAll(tasks, context.signal, () => context.progress('features', ++done, tasks.length));

    const padded = sharedFloats(features * 256);
    const group = Math.ceil(features / (this._pool.threads * 4));
    const groups = Array.from({ length: Math.ceil(features / group) }, (_, i): ICutsTask => {
      const first = i * group;
      return { kind: 'cuts', values, length, first, end: Math.min(features, first + group), padded };
    });
    await this._pool.runAll(groups, context.signal, () => undefined);
    const cuts = { padded, name: nameOf(padded) };
    // The planes are at hand: quantising them now saves computing them again.
    await this._quantise(
      source,
      cuts,
      tasks.map(({ slice, tile, planes }) => ({ slice, tile, planes })),
      features,
      context.signal,
      () => undefined
    );
    this._cuts.set(key, cuts);
    if (this._cuts.size > 64) {
      this._cuts.delete(this._cuts.keys().next().value!);
    }
    return cuts;
  }

  /** Hand the bins of tiles out, one after the other as they are ready: those that are kept at once, the others computed. */
  async each(
    source: IFeatureSource,
    cuts: INamedCuts,
    tiles: readonly IPlacedTile[],
    context: IJobContext,
    use: (placed: IPlacedTile, blocks: Uint8Array) => void
  ): Promise<void> {
    const missing: IPlacedTile[] = [];
    let done = 0;
    const advance = () => context.progress('features', ++done, tiles.length);
    for (const placed of tiles) {
      const blocks = this.find(this.keyOf(source, cuts.name, placed));
      if (blocks) {
        use(placed, blocks);
        advance();
      } else {
        missing.push(placed);
      }
    }
    const features = cuts.padded.length / 256;
    await this._quantise(source, cuts, missing, features, context.signal, (placed, blocks) => {
      use(placed, blocks);
      advance();
    });
  }

  private async _quantise(
    source: IFeatureSource,
    cuts: INamedCuts,
    tiles: readonly (IPlacedTile & { planes?: Float32Array })[],
    features: number,
    signal: AbortSignal,
    use: (placed: IPlacedTile, blocks: Uint8Array) => void
  ): Promise<void> {
    const { image, spec } = source;
    // A few at a time: bins that nobody keeps should not pile up.
    const batch = this._pool.threads * 8;
    for (let first = 0; first < tiles.length; first += batch) {
      const part = tiles.slice(first, first + batch);
      const tasks = part.map(({ slice, tile, planes }): IQuantiseTask => {
        const blocks = sharedBytes(planeFloats(tile, features));
        return { kind: 'quantise', image, slice, tile, spec, padded: cuts.padded, blocks, ...(planes && { planes }) };
      });
      await this._pool.runAll(tasks, signal, (_, i) => {
        const { blocks } = tasks[i]!;
        this.keep(this.keyOf(source, cuts.name, part[i]!), blocks);
        use(part[i]!, blocks);
      });
    }
  }

  private readonly _tiles = new Map<string, Uint8Array>();
  private readonly _cuts = new Map<string, INamedCuts>();
  private _bytes = 0;
}
