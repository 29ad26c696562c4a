/** The training set: the quantised features of the labelled pixels, and their classes. */
import { blocksOf, ITrainingSet } from '../../../engine';
import { sharedBytes } from '../base/shared-memory';
import { IJobContext } from '../jobs/job-context';
import { FeatureTiles, ICutPart, IFeatureSource, sideOf, tileAt } from './feature-tiles';
import { ILabelledPixels } from './labelled-pixels';

/** One slice of an image that is trained on. `ILabelledPixels.slice` counts these over all images. */
export interface ISourceSlice {
  source: IFeatureSource;
  slice: number;
}

/**
 * Collect the bins of the labelled pixels, one column per feature.
 *
 * @param slices the slices that `pixels.slice` counts
 */
export async function collectTrainingSet(
  cache: FeatureTiles,
  slices: readonly ISourceSlice[],
  parts: readonly ICutPart[],
  pixels: ILabelledPixels,
  classes: number,
  context: IJobContext
): Promise<ITrainingSet> {
  const features = parts.reduce((sum, part) => sum + part.features, 0);
  const count = pixels.classOf.length;
  const columns = sharedBytes(features * count);
  const classOf = sharedBytes(count);
  classOf.set(pixels.classOf);
  // By position of the slice in `slices`, then by number of the tile: the labelled pixels of the tile.
  const side = sideOf(parts);
  const members = new Map<number, Map<number, number[]>>();
  for (let i = 0; i < count; i++) {
    const place = pixels.slice[i]!;
    const across = Math.ceil(slices[place]!.source.image.shape[2]! / side);
    const number = Math.floor(pixels.row[i]! / side) * across + Math.floor(pixels.column[i]! / side);
    let inSlice = members.get(place);
    if (!inSlice) {
      members.set(place, (inSlice = new Map()));
    }
    const list = inSlice.get(number);
    if (list) {
      list.push(i);
    } else {
      inSlice.set(number, [i]);
    }
  }
  const tiles = [...members].flatMap(([place, inSlice]) => {
    const { source, slice } = slices[place]!;
    const across = Math.ceil(source.image.shape[2]! / side);
    return [...inSlice].map(([number, list]) => ({
      ...tileAt(source, slice, Math.floor(number / across), number % across, side)!, // it has labels, so it is in the region
      list
    }));
  });
  const firsts = parts.map((_, i) => parts.slice(0, i).reduce((sum, part) => sum + part.features, 0));
  await cache.each(parts, tiles, context, (placed, blocks, number) => {
    const { tile, list } = placed as (typeof tiles)[number];
    const own = parts[number]!.features;
    const across = blocksOf(tile).columns;
    for (const i of list) {
      const row = pixels.row[i]! - tile.row0;
      const column = pixels.column[i]! - tile.column0;
      const block = (row >> 2) * across + (column >> 2);
      let from = block * own * 16 + (row & 3) * 4 + (column & 3);
      let to = firsts[number]! * count + i;
      for (let feature = 0; feature < own; feature++) {
        columns[to] = blocks[from]!;
        from += 16;
        to += count;
      }
    }
  });
  return { columns, classOf, features, classes };
}

/** For each image, the slices with labelled pixels that were drawn. */
export function labelledSlices(
  sources: readonly IFeatureSource[],
  slices: readonly ISourceSlice[],
  pixels: ILabelledPixels
): number[][] {
  const used = [...new Set(pixels.slice)].sort((a, b) => a - b).map(place => slices[place]!);
  return sources.map(source => used.filter(place => place.source === source).map(({ slice }) => slice));
}
