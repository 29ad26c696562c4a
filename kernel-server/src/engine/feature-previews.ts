/**
 * One feature as grey levels, for an overlay. Only the filter behind this feature runs. Tiles are cached, since a view that pans back and forth
 * requests them again. A family's feature has one range of values for all slices; an embedding's feature has a range per slice, since other
 * slices would have to be encoded first.
 */
import {
  familyNames,
  featureKey,
  featureNames,
  featureOps,
  FeatureSpec,
  withoutEmbedding
} from '../../../src/shared/features';
import { LABEL_TILE } from '../../../src/shared/limits';
import { Lru } from '../../../src/shared/lru';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { BridgeError } from '../../../src/shared/errors';
import { sortFloats } from '../../../engine';
import { EnginePool } from './pool';
import { IPreviewTask, ISampleTask, ITileRequest } from './tasks';
import { IFeatureSource, mapsOf, partsOf, spreadPixels, spreadTiles, tilesOf } from './feature-tiles';
import { Intensities } from './intensities';
import { IJobContext } from '../jobs/job-context';
import { IEngineService } from '../jobs/services';

type Request = Parameters<IEngineService['featureTiles']>[0];
type Answer = Awaited<ReturnType<IEngineService['featureTiles']>>;

/** Number of pixels for the percentiles, and the largest number of tiles that they come from. */
const SAMPLE = 16384;
const SAMPLE_TILES = 16;
/** Tiles (16 MiB) and ranges in the caches. */
const TILES_MAX = 256;
const RANGES_MAX = 1024;

/** A request that computes little more than one channel, and that channel's number. */
type IAlone = Pick<ITileRequest, 'spec' | 'part' | 'maps' | 'intensity'> & { channel: number };

/** The values shown as black and white. */
interface IValueRange {
  low: number;
  high: number;
}

export class FeaturePreviews {
  constructor(
    private readonly _pool: EnginePool,
    private readonly _intensities: Intensities
  ) {}

  async tiles(request: Request, context: IJobContext): Promise<Answer> {
    const { image, slice, channel, cacheKey } = request;
    const [, rows, columns, channels = 1] = image.shape as [number, number, number, number?];
    const names = featureNames(request.spec, channels);
    const name = names[channel];
    if (name === undefined) {
      throw new BridgeError('invalid', `There is no feature ${channel}; there are ${names.length}, counted from 0.`);
    }
    const tileColumns = Math.ceil(columns / LABEL_TILE);
    const tileRows = Math.ceil(rows / LABEL_TILE);
    const outside = request.tiles.find(({ row, column }) => row >= tileRows || column >= tileColumns);
    if (outside) {
      throw new BridgeError(
        'invalid',
        `Tile (${outside.row}, ${outside.column}) is outside; there are ${tileRows} × ${tileColumns} tiles, counted from 0.`
      );
    }
    const families = familyNames(request.spec, channels).length;
    const source: IFeatureSource = { image, embedding: request.embedding };
    const { alone: plain, key } =
      channel < families
        ? aloneInFamilies(request.spec, channels, channel, cacheKey)
        : await aloneInEmbedding(request, source, channels, channel - families, context);
    const intensity = request.spec.standardise
      ? await this._intensities.of(image, cacheKey, context.signal)
      : undefined;
    const alone: IAlone = { ...plain, ...(intensity && { intensity }) };
    const range = await this._range(key, image, alone, channel < families ? undefined : slice, context.signal);
    const perSlice = tilesOf({ image }, slice, LABEL_TILE);
    const tiles = request.tiles.map(({ row, column }) => perSlice[row * tileColumns + column]!);
    const keys = request.tiles.map(({ row, column }) => `${key} ${slice} ${row} ${column}`);
    const out = keys.map(tile => this._tiles.peek(tile));
    const missing = [...out.keys()].filter(i => !out[i]);
    const tasks = missing.map((i): IPreviewTask => {
      const { tile } = tiles[i]!;
      return { kind: 'preview', image, slice, tile, ...alone, ...range, side: LABEL_TILE };
    });
    await this._pool.runAll(tasks, context.signal, (bytes, i) => (out[missing[i]!] = bytes), { urgent: true });
    keys.forEach((tile, i) => this._tiles.set(tile, out[i]!));
    return { name, ...range, tiles: out as Uint8Array[] };
  }

  /** The 1st and 99th percentile of the feature in the image, or in one slice of it. */
  private async _range(
    key: string,
    image: ArrayDescriptor,
    alone: IAlone,
    slice: number | undefined,
    signal: AbortSignal
  ): Promise<IValueRange> {
    let range = this._ranges.get(key);
    if (!range) {
      const chosen = spreadTiles([{ image }], SAMPLE_TILES, LABEL_TILE, slice === undefined ? undefined : [[slice]]);
      const positions = spreadPixels(chosen, SAMPLE);
      const tasks = chosen.map(({ slice, tile }, i): ISampleTask => ({
        kind: 'sample',
        image,
        slice,
        tile,
        ...alone,
        positions: positions[i]!
      }));
      const values: number[] = [];
      await this._pool.runAll(tasks, signal, part => values.push(...part), { urgent: true });
      range = percentiles(Float32Array.from(values));
      this._ranges.set(key, range);
    }
    return range;
  }

  private readonly _tiles = new Lru<string, Uint8Array>({ limit: TILES_MAX });
  private readonly _ranges = new Lru<string, IValueRange>({ limit: RANGES_MAX });
}

function aloneInFamilies(spec: FeatureSpec, channels: number, channel: number, cacheKey: string) {
  const alone: IAlone = specOfChannel(withoutEmbedding(spec), channels, channel);
  return { alone, key: `${cacheKey} ${featureKey(alone.spec)} ${alone.channel}` };
}

async function aloneInEmbedding(
  { spec, slice, cacheKey }: Request,
  source: IFeatureSource,
  channels: number,
  channel: number,
  context: IJobContext
) {
  const part = partsOf(spec, channels, source.embedding?.basis).at(-1)!;
  const alone: IAlone = { spec: part.spec, part: part.name, ...(await mapsOf(part, source, slice, context)), channel };
  return { alone, key: `${cacheKey} ${part.key} ${slice} ${channel}` };
}

/** Narrow a spec without an embedding to little more than one channel. @returns the spec, and the channel's number in it */
export function specOfChannel(
  spec: FeatureSpec,
  channels: number,
  channel: number
): { spec: FeatureSpec; channel: number } {
  const name = featureNames(spec, channels)[channel]!;
  const ops = featureOps(spec);
  const perPlane = ops.reduce((sum, op) => sum + op.names.length, 0);
  let left = channel % perPlane;
  const op = ops.find(({ names }) => (left -= names.length) < 0)!;
  const parameters = spec.families[op.family];
  if (!parameters) {
    const original = { ...spec, families: {} };
    return { spec: original, channel: featureNames(original, channels).indexOf(name) };
  }
  // One scale is enough, or two for a difference of scales.
  const sigmas = (parameters['sigmas'] as number[] | undefined) ?? spec.sigmas;
  const some = [...sigmas.map(sigma => [sigma]), ...sigmas.flatMap((a, i) => sigmas.slice(i + 1).map(b => [a, b]))];
  for (const few of some) {
    const narrow = { ...spec, sigmas: few, families: { [op.family]: withSigmas(parameters, few) } };
    const found = featureNames(narrow, channels).indexOf(name);
    if (found >= 0) {
      return { spec: narrow, channel: found };
    }
  }
  return { spec, channel };
}

function withSigmas(parameters: FeatureSpec['families'][string], sigmas: number[]) {
  return 'sigmas' in parameters ? { ...parameters, sigmas } : parameters;
}

function percentiles(values: Float32Array): IValueRange {
  const sorted = sortFloats(values);
  const at = (fraction: number) => sorted[Math.round(fraction * (sorted.length - 1))] ?? 0;
  const low = at(0.01);
  const high = at(0.99);
  // A constant feature is shown as black.
  return { low, high: high > low ? high : low + Math.max(1, Math.abs(low) * 1e-3) };
}
