/** Feature stacks of whole images for the tests, in tiles of any size. */
import { Rect } from '../../../src/shared/rect';
import { featureSpec } from '../../core/features';
import { FeatureStack } from '../../core/stack';
import { newEngine } from './engine';
import { Plain } from './reference';

/** The stack of a whole image, computed in tiles of some size: [feature][row][column]. */
export function stackOf(image: Plain, size = { rows: 1000, columns: 1000 }, partial = {}): Float32Array[] {
  const spec = featureSpec(partial);
  const stack = new FeatureStack(newEngine(), spec, 1);
  const out = Array.from({ length: stack.count }, () => new Float32Array(image.rows * image.columns));
  for (let row0 = 0; row0 < image.rows; row0 += size.rows) {
    for (let column0 = 0; column0 < image.columns; column0 += size.columns) {
      const tile: Rect = {
        row0,
        column0,
        row1: Math.min(image.rows, row0 + size.rows),
        column1: Math.min(image.columns, column0 + size.columns)
      };
      const { data, stride, plane } = stack.compute(image, tile, withHalo(image, tile, stack.halo));
      for (let feature = 0; feature < stack.count; feature++) {
        for (let row = row0; row < tile.row1; row++) {
          const from = feature * plane + (row - row0) * stride;
          out[feature]!.set(data.subarray(from, from + tile.column1 - column0), row * image.columns + column0);
        }
      }
    }
  }
  return out;
}

function withHalo(image: Plain, tile: Rect, margin: number): Float32Array {
  const pixels: number[] = [];
  for (let row = Math.max(0, tile.row0 - margin); row < Math.min(image.rows, tile.row1 + margin); row++) {
    for (
      let column = Math.max(0, tile.column0 - margin);
      column < Math.min(image.columns, tile.column1 + margin);
      column++
    ) {
      pixels.push(image.at(row, column));
    }
  }
  return Float32Array.from(pixels);
}
