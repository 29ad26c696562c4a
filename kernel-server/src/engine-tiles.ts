/**
 * Tiles of quantised features, computed once and kept: training again after more labels computes no feature. Images that are trained on
 * together share one set of cuts under a spec. It is found on tiles spread over all of them, labelled or not, and never changed, so bins
 * stay comparable and the next label costs nothing.
 */
import { createHash } from 'node:crypto';
import { FeatureSpec } from '../../src/kernel-bridge/features';
import { ArrayDescriptor } from '../../src/kernel-bridge/protocol';
import { Cuts, featureKey, featureNames, ITile, planeFloats, samplePositions } from '../../engine';
import { EnginePool } from './engine-pool';
import { ICutsTask, IPlanesTask, IQuantiseTask } from './engine-tasks';
import { IJobContext } from './interfaces';
import { sharedBytes, sharedFloats } from './shared-memory';

/** Side of a tile of features in pixels, and of those with so many features that they would not fit a thread's memory. */
const FEATURE_TILE = 256;
const FEATURE_TILE_MIN = 64;
/** Bytes of a tile's float32 features at most. */
const TILE_BYTES = 64 << 20;
/** Pixels whose features the cuts are found on. */
const SAMPLE = 16384;
/** Tiles of float32 features that are held while cuts are found; all of a small image, so that none is computed twice. */
const PLANES_BYTES = 192 << 20;
/** Tiles that the cuts are found on at least, if there are so many. */
const SAMPLE_TILES_MIN = 8;
/** Sets of cuts that are kept. */
const CUTS_KEPT = 64;

/** An image, and the key under which its features are kept; without one they are not. */
export interface IFeatureSource {
  image: ArrayDescriptor;
  cacheKey?: string | undefined;
}

/** A tile and where it is. */
export interface IPlacedTile {
  source: IFeatureSource;
  slice: number;
  tile: ITile;
}

/** Side of the tiles in which so many features are computed: a power of two. */
export function tileSide(features: number): number {
  let side = FEATURE_TILE;
  while (side > FEATURE_TILE_MIN && side * side * features * 4 > TILE_BYTES) {
    side /= 2;
  }
  return side;
}

/** The tiles of a slice, row by row. */
export function tilesOf(source: IFeatureSource, slice: number, side: number): IPlacedTile[] {
  const [, rows, columns] = source.image.shape as [number, number, number];
  const tiles: IPlacedTile[] = [];
  for (let row0 = 0; row0 < rows; row0 += side) {
    for (let column0 = 0; column0 < columns; column0 += side) {
      const row1 = Math.min(rows, row0 + side);
      const column1 = Math.min(columns, column0 + side);
      tiles.push({ source, slice, tile: { row0, row1, column0, column1 } });
    }
  }
  return tiles;
}

/** About `count` tiles spread evenly over all slices of some images. */
export function spreadTiles(sources: readonly IFeatureSource[], count: number, side: number): IPlacedTile[] {
  const perSlice = sources.map(source => tilesOf(source, 0, side));
  const numbers = sources.map(({ image }, i) => image.shape[0]! * perSlice[i]!.length);
  const positions = samplePositions(
    numbers.reduce((sum, number) => sum + number, 0),
    count
  );
  let source = 0;
  let before = 0;
  return Array.from(positions, position => {
    while (position - before >= numbers[source]!) {
      before += numbers[source++]!;
    }
    const tiles = perSlice[source]!;
    const left = position - before;
    return { ...tiles[left % tiles.length]!, slice: Math.floor(left / tiles.length) };
  });
}

/** About `count` pixels, evenly from some tiles: numbers of pixels in each. */
export function spreadPixels(tiles: readonly IPlacedTile[], count: number): Uint32Array[] {
  const area = ({ tile }: IPlacedTile) => (tile.row1 - tile.row0) * (tile.column1 - tile.column0);
  const pixels = tiles.reduce((sum, placed) => sum + area(placed), 0);
  return tiles.map(placed => samplePositions(area(placed), Math.max(1, Math.round((count * area(placed)) / pixels))));
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

/** Bins of a tile that are kept. */
interface IKept {
  blocks: Uint8Array;
  /** The name of their cuts. */
  cuts: string;
  /** Whether labelled pixels are among them. */
  learned: boolean;
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

  /** The bins of a tile if they are kept: u8 [block][feature][16]. `learned`: they are for training. */
  find(spec: FeatureSpec, cuts: INamedCuts, placed: IPlacedTile, learned: boolean): Uint8Array | undefined {
    const key = keyOf(spec, cuts, placed);
    const found = key === undefined ? undefined : this._tiles.get(key);
    if (found) {
      found.learned ||= learned;
      this._tiles.delete(key!);
      this._tiles.set(key!, found);
    }
    return found?.blocks;
  }

  /**
   * Make room in the cache. What is under other cuts goes, the longest unused first; for training also what was segmented only. The rest
   * stays: of an image larger than the cache, whoever kept the latest would find nothing the next time.
   *
   * @returns whether there is room for so many bytes
   */
  room(bytes: number, cuts: INamedCuts, learned: boolean): boolean {
    for (const dispensable of [
      (kept: IKept) => kept.cuts !== cuts.name,
      (kept: IKept) => learned && kept.cuts === cuts.name && !kept.learned
    ]) {
      for (const [key, kept] of this._tiles) {
        if (this._bytes + bytes <= this._cacheBytes) {
          return true;
        }
        if (dispensable(kept)) {
          this._remove(key);
        }
      }
    }
    return this._bytes + bytes <= this._cacheBytes;
  }

  /** Keep the bins of a tile if there is room. */
  keep(spec: FeatureSpec, cuts: INamedCuts, placed: IPlacedTile, blocks: Uint8Array, learned: boolean): void {
    const key = keyOf(spec, cuts, placed);
    if (key !== undefined && !this._tiles.has(key) && this.room(blocks.byteLength, cuts, learned)) {
      this._tiles.set(key, { blocks, cuts: cuts.name, learned });
      this._bytes += blocks.byteLength;
    }
  }

  /** The cuts of images under a spec, found if there are none yet. */
  async cuts(sources: readonly IFeatureSource[], spec: FeatureSpec, context: IJobContext): Promise<INamedCuts> {
    const key = `${sources.map(({ cacheKey }) => cacheKey).join()} ${featureKey(spec)}`;
    const cuts = this._cuts.get(key) ?? (await this._findCuts(sources, spec, context));
    this._cuts.delete(key);
    this._cuts.set(key, cuts);
    if (this._cuts.size > CUTS_KEPT) {
      this._cuts.delete(this._cuts.keys().next().value!);
    }
    return cuts;
  }

  /** Hand the bins of tiles out, one after the other as they are ready: those that are kept at once, the others computed. */
  async each(
    spec: FeatureSpec,
    cuts: INamedCuts,
    tiles: readonly IPlacedTile[],
    context: IJobContext,
    use: (placed: IPlacedTile, blocks: Uint8Array) => void
  ): Promise<void> {
    const missing: IPlacedTile[] = [];
    let done = 0;
    const advance = () => context.progress('features', ++done, tiles.length);
    for (const placed of tiles) {
      const blocks = this.find(spec, cuts, placed, true);
      if (blocks) {
        use(placed, blocks);
        advance();
      } else {
        missing.push(placed);
      }
    }
    await this._quantise(spec, cuts, missing, true, context.signal, (placed, blocks) => {
      use(placed, blocks);
      advance();
    });
  }

  private async _findCuts(
    sources: readonly IFeatureSource[],
    spec: FeatureSpec,
    context: IJobContext
  ): Promise<INamedCuts> {
    const features = featureNames(spec, sources[0]!.image.shape[3] ?? 1).length;
    const side = tileSide(features);
    const [first] = tilesOf(sources[0]!, 0, side);
    const held = Math.floor(PLANES_BYTES / (planeFloats(first!.tile, features) * 4));
    const chosen = spreadTiles(sources, Math.max(SAMPLE_TILES_MIN, held), side);
    const positions = spreadPixels(chosen, SAMPLE);
    const length = positions.reduce((sum, list) => sum + list.length, 0);
    const values = sharedFloats(features * length);
    let offset = 0;
    let floats = 0;
    const tasks = chosen.map(({ source, slice, tile }, i): IPlanesTask => {
      const sample = { values, positions: positions[i]!, offset, length };
      offset += positions[i]!.length;
      const size = planeFloats(tile, features);
      const hold = (floats += size) * 4 <= PLANES_BYTES;
      const task: IPlanesTask = { kind: 'planes', image: source.image, slice, tile, spec, sample };
      return hold ? { ...task, planes: sharedFloats(size) } : task;
    });
    let done = 0;
    await this._pool.runAll(tasks, context.signal, () => context.progress('features', ++done, tasks.length));

    const padded = sharedFloats(features * 256);
    const group = Math.ceil(features / (this._pool.threads * 4));
    const groups = Array.from({ length: Math.ceil(features / group) }, (_, i): ICutsTask => {
      const begin = i * group;
      return { kind: 'cuts', values, length, first: begin, end: Math.min(features, begin + group), padded };
    });
    await this._pool.runAll(groups, context.signal, () => undefined);
    const cuts = { padded, name: nameOf(padded) };
    // The planes are at hand: quantising them now saves computing them again.
    const ready = tasks.flatMap(({ planes }, i) => (planes ? [{ ...chosen[i]!, planes }] : []));
    await this._quantise(spec, cuts, ready, false, context.signal, () => undefined);
    return cuts;
  }

  private async _quantise(
    spec: FeatureSpec,
    cuts: INamedCuts,
    tiles: readonly (IPlacedTile & { planes?: Float32Array })[],
    learned: boolean,
    signal: AbortSignal,
    use: (placed: IPlacedTile, blocks: Uint8Array) => void
  ): Promise<void> {
    const features = cuts.padded.length / 256;
    const { padded } = cuts;
    // A few at a time: bins that nobody keeps should not pile up.
    const batch = this._pool.threads * 2;
    for (let first = 0; first < tiles.length; first += batch) {
      const part = tiles.slice(first, first + batch);
      const tasks = part.map(({ source, slice, tile, planes }): IQuantiseTask => {
        const blocks = sharedBytes(planeFloats(tile, features));
        const { image } = source;
        return { kind: 'quantise', image, slice, tile, spec, padded, blocks, ...(planes && { planes }) };
      });
      await this._pool.runAll(tasks, signal, (_, i) => {
        const { blocks } = tasks[i]!;
        this.keep(spec, cuts, part[i]!, blocks, learned);
        use(part[i]!, blocks);
      });
    }
  }

  private _remove(key: string): void {
    this._bytes -= this._tiles.get(key)?.blocks.byteLength ?? 0;
    this._tiles.delete(key);
  }

  private readonly _tiles = new Map<string, IKept>();
  private readonly _cuts = new Map<string, INamedCuts>();
  private _bytes = 0;
}

/** Where the bins of a tile are kept. */
function keyOf(spec: FeatureSpec, cuts: INamedCuts, { source, slice, tile }: IPlacedTile): string | undefined {
  return source.cacheKey === undefined
    ? undefined
    : `${source.cacheKey} ${featureKey(spec)} ${cuts.name} ${slice} ${tile.row0} ${tile.column0}`;
}
