/**
 * Tiles of quantised features, computed once and kept: training again after more labels computes no feature. Images that are trained on
 * together share one set of cuts under a spec. The families' are found on tiles spread over all of them, labelled or not, and never
 * changed, so bins stay comparable and the next label costs nothing.
 *
 * What the families give and what an encoder sees are two parts with cuts and bins of their own: an embedding that comes late, or another
 * one, leaves the families' bins as they are. The embedding's cuts are found on the slices that have labels, and on no others, since each
 * further slice would have to be encoded first; they are found anew when another slice gets its first label. So cuts follow from the images
 * and the labels alone, not from the order in which the labels came.
 */
import { createHash } from 'node:crypto';
import { BridgeError } from '../../../src/shared/errors';
import { FeatureSpec } from '../../../src/shared/features';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { Lru } from '../../../src/shared/lru';
import { Rect } from '../../../src/shared/rect';
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
import { basisKey } from '../sam/basis-key';
import { EnginePool } from './pool';
import { ICutsTask, INamedCuts, IPlanesTask, IQuantiseTask, ITileRequest, PartName } from './tasks';
import { IJobContext } from '../jobs/job-context';
import { IImageMaps } from '../jobs/services';
import { sharedBytes, sharedFloats } from '../base/shared-memory';

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
  /** Needed for the features of an embedding. */
  embedding?: IImageMaps | undefined;
  /** Needed where a spec standardises. */
  intensity?: IIntensity | undefined;
}

/** What a task takes pixels by. */
export function takenBy({ image, intensity }: IFeatureSource): Pick<ITileRequest, 'image' | 'intensity'> {
  return { image, ...(intensity && { intensity }) };
}

/** A part of a spec's features. */
export interface IFeaturePart {
  name: PartName;
  spec: FeatureSpec;
  /** What its values follow from, beside the image. */
  key: string;
  features: number;
}

/** The same under cuts. */
export interface ICutPart extends IFeaturePart {
  cuts: INamedCuts;
}

/**
 * The parts of a spec, in the order of its features.
 *
 * @param basis how the embedding is reduced
 * @throws BridgeError `internal` if the spec has an embedding and there is no basis, or one of other layers: callers see to that
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

/** What the encoder sees of a slice, if a part needs it. @throws BridgeError `internal` if nobody says; as SAM fails. */
export async function mapsOf(
  { name }: IFeaturePart,
  { embedding }: IFeatureSource,
  slice: number,
  context: IJobContext
): Promise<{ maps?: ISliceMaps }> {
  if (name === 'families') {
    return {};
  }
  if (!embedding) {
    throw new BridgeError('internal', 'The features need an embedding of each image; one has none.');
  }
  return { maps: await embedding.slice(slice, context) };
}

/** A tile and where it is. */
export interface IPlacedTile {
  source: IFeatureSource;
  slice: number;
  tile: Rect;
}

/** Side of the tiles in which some parts are computed. */
export function sideOf(parts: readonly IFeaturePart[]): number {
  return tileSide(Math.max(...parts.map(({ features }) => features)));
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

/**
 * About `count` tiles spread evenly over all slices of some images.
 *
 * @param slices the only slices of each image that are looked at; all if left out
 */
export function spreadTiles(
  sources: readonly IFeatureSource[],
  count: number,
  side: number,
  slices: readonly (readonly number[])[] = sources.map(({ image }) =>
    Array.from({ length: image.shape[0]! }, (_, i) => i)
  )
): IPlacedTile[] {
  const perSlice = sources.map(source => tilesOf(source, 0, side));
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

/** About `count` pixels, evenly from some tiles: numbers of pixels in each. */
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

  /** The bins of a part of a tile if they are kept: u8 [block][feature][16]. `learned`: they are for training. */
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
   * Make room in the cache. What is under other cuts than those of `parts` goes, the longest unused first; for training also what was
   * segmented only. The rest stays: of an image larger than the cache, whoever kept the latest would find nothing the next time.
   *
   * @returns whether there is room for so many bytes
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

  /** Keep the bins of a tile under one of `parts` if there is room. */
  keep(part: ICutPart, parts: readonly ICutPart[], placed: IPlacedTile, blocks: Uint8Array, learned: boolean): void {
    const key = keyOf(part, placed);
    if (key !== undefined && !this._tiles.has(key) && this.room(blocks.byteLength, parts, learned)) {
      this._tiles.set(key, { blocks, cuts: part.cuts.name, learned });
      this._bytes += blocks.byteLength;
    }
  }

  /**
   * Parts under the cuts of some images, which are found if there are none yet.
   *
   * @param labelled the slices of each image that have labels
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
      const key = `${sources.map(({ cacheKey }) => cacheKey).join()} ${part.key} ${slices?.join(';')}`;
      const cuts = this._cuts.get(key) ?? (await this._findCuts(sources, part, out, slices, side, context));
      this._cuts.set(key, cuts);
      out.push({ ...part, cuts });
    }
    return out;
  }

  /** Hand the bins of tiles out, one part after the other as they are ready: those that are kept at once, the others computed. */
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
    const [first] = tilesOf(sources[0]!, 0, side);
    const held = Math.floor(PLANES_BYTES / (planeFloats(first!.tile, features) * 4));
    const chosen = spreadTiles(sources, Math.max(SAMPLE_TILES_MIN, held), side, slices);
    const positions = spreadPixels(chosen, SAMPLE);
    const length = positions.reduce((sum, list) => sum + list.length, 0);
    const values = sharedFloats(features * length);
    let offset = 0;
    let floats = 0;
    const tasks: IPlanesTask[] = [];
    for (const [i, { source, slice, tile }] of chosen.entries()) {
      const sample = { values, positions: positions[i]!, offset, length };
      offset += positions[i]!.length;
      const size = planeFloats(tile, features);
      const hold = (floats += size) * 4 <= PLANES_BYTES;
      const maps = await mapsOf(part, source, slice, context);
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
    // The planes are at hand: quantising them now saves computing them again.
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
    // A few at a time: bins that nobody keeps should not pile up.
    const batch = this._pool.threads * 2;
    for (let first = 0; first < tiles.length; first += batch) {
      const placed = tiles.slice(first, first + batch);
      const tasks: IQuantiseTask[] = [];
      for (const { source, slice, tile, planes } of placed) {
        const blocks = sharedBytes(planeFloats(tile, features));
        const values = planes ? { planes } : await mapsOf(part, source, slice, context);
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

/** Where the bins of a part of a tile are kept. */
function keyOf({ key, cuts }: ICutPart, { source, slice, tile }: IPlacedTile): string | undefined {
  const { row0, row1, column0, column1 } = tile;
  return source.cacheKey === undefined
    ? undefined
    : `${source.cacheKey} ${key} ${cuts.name} ${slice} ${row0} ${row1} ${column0} ${column1}`;
}
