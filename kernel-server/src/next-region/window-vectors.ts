/** Vectors that describe windows of an image: means of the encoder's maps, or brightness and roughness. */
import { ISliceMaps, ILayerMaps } from '../../../engine';
import { ArrayDescriptor, ImageInfo } from '../../../src/shared/protocol';
import { moved, Rect, SliceRect } from '../../../src/shared/rect';
import { IVectors } from './clusters';
import { breathe } from '../base/files';
import { TileFile } from '../arrays/tile-file';
import { WindowGrid } from './score-windows';

/** Side of the middle of a window, which is enough to describe large windows. */
const MIDDLE = 64;
/** Windows between two turns of the event loop. */
const BREATH = 64;

/** At most about `most` windows of a grid, evenly spread. */
export function sampleWindows(grid: WindowGrid, most: number): Rect[] {
  const [rows, columns] = [grid.down.starts.length, grid.across.starts.length];
  const step = Math.max(1, Math.ceil(Math.sqrt(grid.count / most)));
  const blocks: Rect[] = [];
  for (let row = 0; row < rows; row += step) {
    for (let column = 0; column < columns; column += step) {
      blocks.push(grid.block(row * columns + column));
    }
  }
  return blocks;
}

/** The mean of each component over each window. Layers weigh the same: their components have a variance of 1 together. */
export function viewed(places: readonly SliceRect[], maps: ReadonlyMap<number, ISliceMaps>): IVectors {
  const [some] = maps.values();
  const layers = (some ?? []).map(({ components }) => components);
  const length = layers.reduce((sum, components) => sum + components, 0);
  const values = new Float32Array(places.length * length);
  places.forEach((place, i) => {
    let at = i * length;
    for (const map of maps.get(place.slice)!) {
      const { row, column } = map.origin ?? { row: 0, column: 0 };
      values.set(meanOf(map, moved(place, -row, -column)), at);
      at += map.components;
    }
  });
  return { values: evened(values, layers), length };
}

/** Mean, standard deviation and mean step from pixel to pixel of each window's middle, each with a variance of 1 over the windows. */
export async function textures(
  image: ArrayDescriptor,
  display: ImageInfo['display'],
  places: readonly SliceRect[],
  signal: AbortSignal
): Promise<IVectors> {
  const length = 3;
  const values = new Float32Array(places.length * length);
  const file = new TileFile(image, 'r');
  try {
    for (const [i, place] of places.entries()) {
      const middle = middleOf(place);
      const grey = greyOf(file.read({ slice: place.slice, ...middle }), file.channels, display);
      values.set(textureOf(grey, middle.column1 - middle.column0), i * length);
      if (i % BREATH === 0) {
        await breathe();
        signal.throwIfAborted();
      }
    }
  } finally {
    file.close();
  }
  return { values: evened(values, [1, 1, 1]), length };
}

/** The middle of a window, or all of it. */
function middleOf({ row0, row1, column0, column1 }: Rect): Rect {
  const along = (from: number, to: number) => {
    const begin = from + Math.max(0, Math.floor((to - from - MIDDLE) / 2));
    return [begin, Math.min(to, begin + MIDDLE)] as const;
  };
  const [[top, bottom], [left, right]] = [along(row0, row1), along(column0, column1)];
  return { row0: top, row1: bottom, column0: left, column1: right };
}

function textureOf(grey: Float32Array, width: number): [number, number, number] {
  let [sum, squares, steps, count] = [0, 0, 0, 0];
  grey.forEach((value, i) => {
    sum += value;
    squares += value * value;
    if (i % width > 0) {
      steps += Math.abs(value - grey[i - 1]!);
      count++;
    }
    if (i >= width) {
      steps += Math.abs(value - grey[i - width]!);
      count++;
    }
  });
  const mean = sum / grey.length;
  return [mean, Math.sqrt(Math.max(0, squares / grey.length - mean * mean)), steps / Math.max(1, count)];
}

/** The mean of the cells whose centres lie in a window, or the cell under its centre where there is none. */
function meanOf({ data, components, rows, columns, cell }: ILayerMaps, block: Rect): Float32Array {
  const along = (from: number, to: number, cells: number) => {
    const first = Math.ceil(from / cell - 0.5);
    const end = Math.min(cells, Math.ceil(to / cell - 0.5));
    const under = Math.min(cells - 1, Math.floor((from + to) / 2 / cell));
    return first < end ? [first, end] : [under, under + 1];
  };
  const [row0, row1] = along(block.row0, block.row1, rows) as [number, number];
  const [column0, column1] = along(block.column0, block.column1, columns) as [number, number];
  return Float32Array.from({ length: components }, (_, k) => {
    let sum = 0;
    for (let row = row0; row < row1; row++) {
      for (let column = column0; column < column1; column++) {
        sum += data[(k * rows + row) * columns + column]!;
      }
    }
    return sum / ((row1 - row0) * (column1 - column0));
  });
}

/** The same vectors, each group of components centred and with a variance of 1 in sum. */
function evened(values: Float32Array, groups: readonly number[]): Float32Array {
  const length = groups.reduce((sum, components) => sum + components, 0);
  const n = values.length / length;
  const mean = new Float64Array(length);
  const variance = new Float64Array(length);
  values.forEach((value, at) => (mean[at % length]! += value / n));
  values.forEach((value, at) => (variance[at % length]! += (value - mean[at % length]!) ** 2 / n));
  const scale = groups.flatMap((components, g) => {
    const begin = groups.slice(0, g).reduce((sum, other) => sum + other, 0);
    const sum = variance.subarray(begin, begin + components).reduce((all, own) => all + own, 0);
    return Array.from({ length: components }, () => (sum > 0 ? 1 / Math.sqrt(sum) : 0));
  });
  return values.map((value, at) => (value - mean[at % length]!) * scale[at % length]!);
}

/** The mean of a pixel's channels, 0 where it is shown black and 1 where white. */
function greyOf(pixels: ArrayLike<number>, channels: number, { low, high }: ImageInfo['display']): Float32Array {
  const range = high > low ? high - low : 1;
  return Float32Array.from({ length: pixels.length / channels }, (_, i) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) {
      sum += pixels[i * channels + channel]!;
    }
    return (sum / channels - low) / range;
  });
}
