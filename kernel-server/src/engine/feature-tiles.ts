/**
 * Tiles of quantised features, computed once and cached, so that training again after more labels computes no feature. Cuts are the limits
 * between the bins. Images that are trained on together share the cuts of a spec. The cuts of the feature families come from tiles spread over
 * all images, labelled or not, and never change, so cached bins stay valid. Of an image of which only a region is worked on, all comes from that region.
 *
 * The families' features and the embedding's features are two parts with cuts and bins of their own, so a new embedding leaves the families'
 * bins valid. The embedding's cuts come from the labelled slices only, since any other slice would have to be encoded first, and on large slices
 * from a few windows of the encoder. They are found again when another slice gets its first label. Cuts therefore depend on the images and the
 * labels, not on the order of labelling.
 */
import { createHash } from 'node:crypto';
import { BridgeError } from '../../../src/shared/errors';
import { FeatureSpec } from '../../../src/shared/features';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { Lru } from '../../../src/shared/lru';
import { Rect } from '../../../src/shared/rect';
import { cutTo, hasSlice, OptionalRegion, regionKey } from '../../../src/shared/region';
import {
  Cuts,
  embeddingNames,
  familyNames,
  featureKey,
  IEmbeddingBasis,
  IIntensity,
  ISliceMaps,
  planeFloats,
  samplePositions,
  withoutEmbedding
} from '../../../engine';
import { basisKey } from '../base/basis-key';
import { EnginePool } from './pool';
import { ICutsTask, INamedCuts, IPlanesTask, IQuantiseTask, ITileRequest, PartName } from './tasks';
import { IJobContext } from '../jobs/job-context';
import { IImageMaps } from '../jobs/services';
import { sharedBytes, sharedFloats } from '../base/shared-memory';

/** Largest and smallest side of a tile in pixels. Tiles with many features are smaller, so that they fit a thread's memory. */
const FEATURE_TILE = 256;
const FEATURE_TILE_MIN = 64;
/** Largest size of a tile's float32 features. */
const TILE_BYTES = 64 << 20;
/** Number of pixels that the cuts are computed from. */
const SAMPLE = 16384;
/** Size of the float32 tiles held while cuts are computed. A small image fits as a whole, so none of its tiles is computed twice. */
const PLANES_BYTES = 192 << 20;
/** Smallest number of tiles that the cuts are computed from, if the images have that many. */
const SAMPLE_TILES_MIN = 8;
/** Sets of cuts in the cache. */
const CUTS_KEPT = 64;

/** An image, and the key under which its features are cached; without a key they are not. */
export interface IFeatureSource {
  image: ArrayDescriptor;
  cacheKey?: string | undefined;
  /** Required for the embedding's features. */
  embedding?: IImageMaps | undefined;
  /** Required if the spec standardises. */
  intensity?: IIntensity | undefined;
  /** The part of the image whose features are computed; the pixels around it are only read as their margin. Default: all. */
  within?: OptionalRegion | undefined;
}

/** A source's fields that go into a task. */
export function takenBy({ image, intensity }: IFeatureSource): Pick<ITileRequest, 'image' | 'intensity'> {
  return { image, ...(intensity && { intensity }) };
}

/** A part of a spec's features. */
export interface IFeaturePart {
  name: PartName;
  spec: FeatureSpec;
  /** Identifies the features and the embedding's basis: equal keys give equal values for an image. */
  key: string;
  features: number;
}

/** A part with its cuts. */
export interface ICutPart extends IFeaturePart {
  cuts: INamedCuts;
}

/**
 * The parts of a spec, in the order of its features.
 *
 * @param basis the basis that reduces the embedding
 * @throws BridgeError `internal` if the spec has an embedding and the basis is missing or has other layers
 */
export function partsOf(
  spec: FeatureSpec,
  channels: number,
  basis: IEmbeddingBasis | null | undefined
): IFeaturePart[] {
  const families = withoutEmbedding(spec);
  const features = familyNames(families, channels).length;
  const parts: IFeaturePart[] = [{ name: 'families', spec: families, key: featureKey(families), features }];
  if (spec.embedding) {
    const own = spec.embedding.layers.map(({ layer, components }) => `${layer}: ${components}`).join(', ');
    const its = basis?.layers.map(({ layer, components }) => `${layer}: ${components}`).join(', ');
    if (!basis || own !== its) {
      throw new BridgeError('internal', `The features need an embedding of ${own}; ${its ?? 'none'} is given.`);
    }
    const alone = { ...spec, families: {} };
    const key = `${JSON.stringify(spec.embedding)} ${basisKey(basis)}`;
    parts.push({ name: 'embedding', spec: alone, key, features: embeddingNames(spec).length });
  }
  return parts;
}

/**
 * The embedding's maps of a slice, if the part needs them.
 *
 * @param under where they are needed; default: on all of the slice
 * @throws BridgeError `internal` if the source has no embedding; any error of the encoder.
 */
export async function mapsOf(
  { name }: IFeaturePart,
  { embedding }: IFeatureSource,
  slice: number,
  context: IJobContext,
  under?: readonly Rect[]
): Promise<{ maps?: ISliceMaps }> {
  if (name === 'families') {
    return {};
  }
  if (!embedding) {
    throw new BridgeError('internal', 'The features need an embedding of each image; one has none.');
  }
  return { maps: await embedding.slice(slice, context, under) };
}

/** Gives the maps for one tile after the other; asks at the first tile of a slice for those under all tiles of that slice. */
function mapsInTurn(part: IFeaturePart, tiles: readonly IPlacedTile[], context: IJobContext) {
  let last: { source: IFeatureSource; slice: number; maps: { maps?: ISliceMaps } } | undefined;
  return async ({ source, slice }: IPlacedTile): Promise<{ maps?: ISliceMaps }> => {
    if (last?.source !== source || last.slice !== slice) {
      const under = tiles.filter(other => other.source === source && other.slice === slice).map(({ tile }) => tile);
      last = { source, slice, maps: await mapsOf(part, source, slice, context, under) };
    }
    return last.maps;
  };
}

/** A tile of a slice of a source. */
export interface IPlacedTile {
  source: IFeatureSource;
  slice: number;
  tile: Rect;
}

/** Side of the tiles for all of these parts. */
export function sideOf(parts: readonly IFeaturePart[]): number {
  return tileSide(Math.max(...parts.map(({ features }) => features)));
}

/** Side of the tiles for a number of features: a power of two. */
export function tileSide(features: number): number {
  let side = FEATURE_TILE;
  while (side > FEATURE_TILE_MIN && side * side * features * 4 > TILE_BYTES) {
    side /= 2;
  }
  return side;
}

/** The tiles of a slice, row by row. They lie on the grid of the whole image, and are cut where the source's region ends. */
export function tilesOf(source: IFeatureSource, slice: number, side: number): IPlacedTile[] {
  const [, rows, columns] = source.image.shape as [number, number, number];
  const area = cutTo(source.within, { slice, row0: 0, row1: rows, column0: 0, column1: columns });
  const tiles: IPlacedTile[] = [];
  if (!area) {
    return tiles;
  }
  const first = (begin: number) => Math.floor(begin / side);
  for (let row = first(area.row0); row * side < area.row1; row++) {
    for (let column = first(area.column0); column * side < area.column1; column++) {
      tiles.push(tileAt(source, slice, row, column, side)!);
    }
  }
  return tiles;
}

/** The tile in a row and column of the grid; undefined if it is outside of the source's region. */
export function tileAt(
  source: IFeatureSource,
  slice: number,
  row: number,
  column: number,
  side: number
): IPlacedTile | undefined {
  const [, rows, columns] = source.image.shape as [number, number, number];
  const [row0, column0] = [row * side, column * side];
  const [row1, column1] = [Math.min(rows, row0 + side), Math.min(columns, column0 + side)];
  const tile = cutTo(source.within, { slice, row0, row1, column0, column1 });
  return tile && { source, slice, tile };
}

/**
 * About `count` tiles, spread evenly over the images' slices.
 *
 * @param slices the slices to use of each image; default: all
 * @param tilesIn the tiles of a slice to choose from; default: all
 */
export function spreadTiles(
  sources: readonly IFeatureSource[],
  count: number,
  side: number,
  slices: readonly (readonly number[])[] = sources.map(({ image, within }) =>
    Array.from({ length: image.shape[0]! }, (_, i) => i).filter(slice => hasSlice(within, slice))
  ),
  tilesIn = (source: IFeatureSource, slice: number) => tilesOf(source, slice, side)
): IPlacedTile[] {
  const perSlice = sources.map(source => tilesIn(source, source.within?.slice0 ?? 0));
  const numbers = sources.map((_, i) => slices[i]!.length * perSlice[i]!.length);
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
    return { ...tiles[left % tiles.length]!, slice: slices[source]![Math.floor(left / tiles.length)]! };
  });
}

/** About `count` pixels, spread evenly over the tiles. @returns pixel numbers for each tile */
export function spreadPixels(tiles: readonly IPlacedTile[], count: number): Uint32Array[] {
  const area = ({ tile }: IPlacedTile) => (tile.row1 - tile.row0) * (tile.column1 - tile.column0);
  const pixels = tiles.reduce((sum, placed) => sum + area(placed), 0);
  return tiles.map(placed => samplePositions(area(placed), Math.max(1, Math.round((count * area(placed)) / pixels))));
}

export function nameCuts(cuts: Cuts): INamedCuts {
  const padded = sharedFloats(cuts.features.length * 256);
  padded.set(cuts.padded());
  return { padded, name: nameOf(padded) };
}

function nameOf(padded: Float32Array): string {
  return createHash('sha256').update(new Uint8Array(padded.slice().buffer)).digest('hex').slice(0, 32);
}

/** The cached bins of a tile. */
interface IKept {
  blocks: Uint8Array;
  /** The name of their cuts. */
  cuts: string;
  /** Whether training has used them. */
  learned: boolean;
}

export class FeatureTiles {
  constructor(
    private readonly _pool: EnginePool,
    private readonly _cacheBytes: number
  ) {}

  /** Bytes of bins in the cache. */
  get bytes(): number {
    return this._bytes;
  }

  /** The cached bins of one part of a tile, u8 [block][feature][16]. `learned` marks them as used by training. */
  find(part: ICutPart, placed: IPlacedTile, learned: boolean): Uint8Array | undefined {
    const key = keyOf(part, placed);
    const found = key === undefined ? undefined : this._tiles.get(key);
    if (found) {
      found.learned ||= learned;
      this._tiles.delete(key!);
      this._tiles.set(key!, found);
    }
    return found?.blocks;
  }

  /**
   * Make room in the cache. Tiles with other cuts than those of `parts` are dropped, the least recently used first; for training, so are tiles
   * that only segmentation used. The rest stays: if an image is larger than the cache, dropping the oldest tiles would leave no hit on the
   * next pass.
   *
   * @returns whether there is room for `bytes` bytes
   */
  room(bytes: number, parts: readonly ICutPart[], learned: boolean): boolean {
    const current = (kept: IKept) => parts.some(({ cuts }) => cuts.name === kept.cuts);
    for (const dispensable of [
      (kept: IKept) => !current(kept),
      (kept: IKept) => learned && current(kept) && !kept.learned
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

  /** Cache the bins of a tile if there is room. */
  keep(part: ICutPart, parts: readonly ICutPart[], placed: IPlacedTile, blocks: Uint8Array, learned: boolean): void {
    const key = keyOf(part, placed);
    if (key !== undefined && !this._tiles.has(key) && this.room(blocks.byteLength, parts, learned)) {
      this._tiles.set(key, { blocks, cuts: part.cuts.name, learned });
      this._bytes += blocks.byteLength;
    }
  }

  /**
   * Add the cuts of some images to the parts; computes cuts that are not cached.
   *
   * @param labelled the labelled slices of each image
   */
  async cut(
    sources: readonly IFeatureSource[],
    parts: readonly IFeaturePart[],
    labelled: readonly (readonly number[])[],
    context: IJobContext
  ): Promise<ICutPart[]> {
    const side = sideOf(parts);
    const out: ICutPart[] = [];
    for (const part of parts) {
      const slices = part.name === 'embedding' ? labelled : undefined;
      const images = sources.map(({ cacheKey, within }) => `${cacheKey}${regionKey(within)}`);
      const key = `${images.join()} ${part.key} ${slices?.join(';')}`;
      const cuts = this._cuts.get(key) ?? (await this._findCuts(sources, part, out, slices, side, context));
      this._cuts.set(key, cuts);
      out.push({ ...part, cuts });
    }
    return out;
  }

  /** Call `use` with the bins of each tile, part by part: cached bins first, then the computed ones as they are ready. */
  async each(
    parts: readonly ICutPart[],
    tiles: readonly IPlacedTile[],
    context: IJobContext,
    use: (placed: IPlacedTile, blocks: Uint8Array, part: number) => void
  ): Promise<void> {
    let done = 0;
    const advance = () => context.progress('features', ++done, tiles.length * parts.length);
    for (const [number, part] of parts.entries()) {
      const missing: IPlacedTile[] = [];
      for (const placed of tiles) {
        const blocks = this.find(part, placed, true);
        if (blocks) {
          use(placed, blocks, number);
          advance();
        } else {
          missing.push(placed);
        }
      }
      await this._quantise(part, parts, missing, true, context, (placed, blocks) => {
        use(placed, blocks, number);
        advance();
      });
    }
  }

  private async _findCuts(
    sources: readonly IFeatureSource[],
    part: IFeaturePart,
    before: readonly ICutPart[],
    slices: readonly (readonly number[])[] | undefined,
    side: number,
    context: IJobContext
  ): Promise<INamedCuts> {
    const { features, spec, name } = part;
    const [first] = tilesOf(sources[0]!, sources[0]!.within?.slice0 ?? 0, side);
    const held = Math.floor(PLANES_BYTES / (planeFloats(first!.tile, features) * 4));
    const samplesOf = ({ embedding }: IFeatureSource) => (name === 'embedding' ? embedding?.samples : undefined);
    const chosen = spreadTiles(
      sources,
      Math.max(SAMPLE_TILES_MIN, held),
      side,
      slices,
      (source, slice) => samplesOf(source)?.map(tile => ({ source, slice, tile })) ?? tilesOf(source, slice, side)
    );
    const mapsAt = mapsInTurn(part, chosen, context);
    const positions = spreadPixels(chosen, SAMPLE);
    const length = positions.reduce((sum, list) => sum + list.length, 0);
    const values = sharedFloats(features * length);
    let offset = 0;
    let floats = 0;
    const tasks: IPlanesTask[] = [];
    for (const [i, placed] of chosen.entries()) {
      const { source, slice, tile } = placed;
      const sample = { values, positions: positions[i]!, offset, length };
      offset += positions[i]!.length;
      const size = planeFloats(tile, features);
      const hold = !samplesOf(source) && (floats += size) * 4 <= PLANES_BYTES;
      const maps = await mapsAt(placed);
      const task: IPlanesTask = { kind: 'planes', ...takenBy(source), slice, tile, spec, part: name, ...maps, sample };
      tasks.push(hold ? { ...task, planes: sharedFloats(size) } : task);
    }
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
    // Quantise the planes in memory now, so that they need not be computed again.
    const ready = tasks.flatMap(({ planes }, i) => (planes ? [{ ...chosen[i]!, planes }] : []));
    const cut = { ...part, cuts };
    await this._quantise(cut, [...before, cut], ready, false, context, () => undefined);
    return cuts;
  }

  private async _quantise(
    part: ICutPart,
    parts: readonly ICutPart[],
    tiles: readonly (IPlacedTile & { planes?: Float32Array })[],
    learned: boolean,
    context: IJobContext,
    use: (placed: IPlacedTile, blocks: Uint8Array) => void
  ): Promise<void> {
    const { features, spec, name, cuts } = part;
    // In batches, so that bins that do not fit the cache do not pile up.
    const batch = this._pool.threads * 2;
    const mapsAt = mapsInTurn(part, tiles, context);
    for (let first = 0; first < tiles.length; first += batch) {
      const placed = tiles.slice(first, first + batch);
      const tasks: IQuantiseTask[] = [];
      for (const each of placed) {
        const { source, slice, tile, planes } = each;
        const blocks = sharedBytes(planeFloats(tile, features));
        const values = planes ? { planes } : await mapsAt(each);
        tasks.push({ kind: 'quantise', ...takenBy(source), slice, tile, spec, part: name, ...values, cuts, blocks });
      }
      await this._pool.runAll(tasks, context.signal, (_, i) => {
        const { blocks } = tasks[i]!;
        this.keep(part, parts, placed[i]!, blocks, learned);
        use(placed[i]!, blocks);
      });
    }
  }

  private _remove(key: string): void {
    this._bytes -= this._tiles.get(key)?.blocks.byteLength ?? 0;
    this._tiles.delete(key);
  }

  private readonly _tiles = new Map<string, IKept>();
  private readonly _cuts = new Lru<string, INamedCuts>({ limit: CUTS_KEPT });
  private _bytes = 0;
}

/** Key of a tile's bins in the cache; undefined if the source is not cached. */
function keyOf({ name, key, cuts }: ICutPart, { source, slice, tile }: IPlacedTile): string | undefined {
  const { row0, row1, column0, column1 } = tile;
  return source.cacheKey === undefined
    ? undefined
    : `${source.cacheKey} ${key} ${cuts.name} ${name === 'embedding' ? regionKey(source.within) : ''} ${slice} ${row0} ${row1} ${column0} ${column1}`;
}
