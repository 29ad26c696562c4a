import { Rect } from '../../../src/shared/rect';
import { ISliceMaps } from '../embedding';
import { featureSpec } from '../features';
import { quantileCuts, Cuts } from '../quantile';
import { FeatureStack, blocksOf } from '../stack';
import { newEngine, randomSource } from '../../__tests__/support/engine';

/** Maps of noise. */
function mapsOf(grids: readonly [components: number, rows: number, columns: number, cell: number][]): ISliceMaps {
  const random = randomSource(11);
  return grids.map(([components, rows, columns, cell]) => ({
    data: Float32Array.from({ length: components * rows * columns }, () => random() * 40 - 20),
    components,
    rows,
    columns,
    cell
  }));
}

/** The formula of `engine/core/embedding.ts`, pixel by pixel. */
function expected(map: ISliceMaps[number], component: number, row: number, column: number): number {
  const along = (pixel: number, count: number) => {
    const place = Math.min(count - 1, Math.max(0, (pixel + 0.5) / map.cell - 0.5));
    const first = Math.floor(place);
    return { first, second: Math.min(count - 1, first + 1), weight: Math.fround(place - first) };
  };
  const between = (a: number, b: number, weight: number) => Math.fround(a + Math.fround(Math.fround(b - a) * weight));
  const at = (r: number, c: number) => map.data[(component * map.rows + r) * map.columns + c]!;
  const [y, x] = [along(row, map.rows), along(column, map.columns)];
  const line = (r: number) => between(at(r, x.first), at(r, x.second), x.weight);
  return between(line(y.first), line(y.second), y.weight);
}

const layers = (...components: number[]) =>
  components.map((count, i) => ({ layer: ['output', 'stage3', 'stage1'][i]!, components: count }));
const few = { set: 'samba', sigmas: [1], hessian: false, membrane: false, differenceOfGaussians: false };

/** [channel][row][column] of an image in tiles of some size. */
function channelsOf(stack: FeatureStack, rows: number, columns: number, maps: ISliceMaps, side: number) {
  const pixels = Float32Array.from({ length: rows * columns }, (_, i) => (i * 31) % 97);
  const out = Array.from({ length: stack.count }, () => new Float32Array(rows * columns));
  for (let row0 = 0; row0 < rows; row0 += side) {
    for (let column0 = 0; column0 < columns; column0 += side) {
      const tile = { row0, column0, row1: Math.min(rows, row0 + side), column1: Math.min(columns, column0 + side) };
      const { data, stride, plane } = stack.compute(
        { rows, columns },
        tile,
        around(pixels, rows, columns, tile, stack.halo),
        maps
      );
      out.forEach((channel, k) => {
        for (let row = row0; row < tile.row1; row++) {
          const from = k * plane + (row - row0) * stride;
          channel.set(data.subarray(from, from + tile.column1 - column0), row * columns + column0);
        }
      });
    }
  }
  return out;
}

function around(pixels: Float32Array, rows: number, columns: number, tile: Rect, halo: number): Float32Array {
  const out: number[] = [];
  for (let row = Math.max(0, tile.row0 - halo); row < Math.min(rows, tile.row1 + halo); row++) {
    for (let column = Math.max(0, tile.column0 - halo); column < Math.min(columns, tile.column1 + halo); column++) {
      out.push(pixels[row * columns + column]!);
    }
  }
  return Float32Array.from(out);
}

describe('An embedding among the features', () => {
  it.each<[string, number, number, [number, number, number, number][]]>([
    ['cells of 16 pixels', 70, 101, [[3, 5, 7, 16]]],
    ['a grid that ends before the image', 90, 101, [[2, 4, 5, 16]]],
    [
      'two layers, of several pixels and of less than one',
      37,
      50,
      [
        [2, 3, 4, 16],
        [3, 74, 100, 0.5]
      ]
    ],
    ['cells of no whole number of pixels', 41, 33, [[1, 17, 14, 2.5]]],
    ['one cell', 9, 13, [[4, 1, 1, 16]]]
  ])('is read bilinearly at every pixel: %s', (_, rows, columns, grids) => {
    const maps = mapsOf(grids);
    const spec = featureSpec({ ...few, embedding: { layers: layers(...grids.map(([count]) => count)) } });
    const stack = new FeatureStack(newEngine(), spec, 1);
    const all = maps.flatMap(map => Array.from({ length: map.components }, (__, component) => ({ map, component })));
    const channels = channelsOf(stack, rows, columns, maps, 1000).slice(-all.length);
    all.forEach(({ map, component }, k) => {
      const wanted = Float32Array.from({ length: rows * columns }, (__, i) =>
        expected(map, component, Math.floor(i / columns), i % columns)
      );
      expect(channels[k]).toEqual(wanted);
    });
  });

  it('is the same in tiles as in one piece, and does not change the other features', () => {
    const maps = mapsOf([
      [3, 6, 9, 16],
      [2, 90, 140, 1]
    ]);
    const spec = featureSpec({ ...few, embedding: { layers: layers(3, 2) } });
    const [rows, columns] = [90, 140];
    const whole = channelsOf(new FeatureStack(newEngine(), spec, 1), rows, columns, maps, 1000);
    for (const side of [16, 52, 128]) {
      expect(channelsOf(new FeatureStack(newEngine(), spec, 1), rows, columns, maps, side)).toEqual(whole);
    }
    const filters = new FeatureStack(newEngine(), featureSpec(few), 1);
    expect(channelsOf(filters, rows, columns, [], 1000)).toEqual(whole.slice(0, -5));
    const alone = new FeatureStack(newEngine(), spec, 1, false);
    expect(alone.halo).toBe(0);
    expect(channelsOf(alone, rows, columns, maps, 52)).toEqual(whole.slice(-5));
  });

  it('has bins that, joined to those of the families, are the bins of the whole stack', () => {
    const maps = mapsOf([[3, 6, 9, 16]]);
    const spec = featureSpec({ ...few, embedding: { layers: layers(3) } });
    const [rows, columns] = [37, 41];
    const tile = { row0: 0, column0: 0, row1: rows, column1: columns };
    const pixels = Float32Array.from({ length: rows * columns }, (_, i) => (i * 31) % 97);
    const binsOf = (stack: FeatureStack, cuts: Float32Array[], embedding?: ISliceMaps) => {
      const { data } = stack.compute({ rows, columns }, tile, pixels, embedding);
      return stack.quantise(tile, data, new Cuts(cuts)).slice();
    };
    const stack = new FeatureStack(newEngine(), spec, 1);
    const cuts = channelsOf(stack, rows, columns, maps, 1000).map(quantileCuts);
    const whole = binsOf(stack, cuts, maps);
    const first = binsOf(new FeatureStack(newEngine(), featureSpec(few), 1), cuts.slice(0, -3));
    const second = binsOf(new FeatureStack(newEngine(), spec, 1, false), cuts.slice(-3), maps);
    const engine = newEngine();
    const { count } = blocksOf(tile);
    const out = engine.allocate(whole.length);
    engine.kernels.joinBlocks(
      engine.put(first),
      first.length / count,
      engine.put(second),
      second.length / count,
      count,
      out
    );
    expect(engine.u8(out, whole.length).slice()).toEqual(whole);
  });

  it('is refused if it is missing or not that of the spec', () => {
    const spec = featureSpec({ ...few, embedding: { layers: layers(3, 2) } });
    const stack = new FeatureStack(newEngine(), spec, 1);
    const compute = (maps?: ISliceMaps) =>
      stack.compute({ rows: 8, columns: 8 }, { row0: 0, row1: 8, column0: 0, column1: 8 }, new Uint8Array(64), maps);
    const good = mapsOf([
      [3, 2, 2, 4],
      [2, 8, 8, 1]
    ]);
    expect(() => compute()).toThrow(RangeError);
    expect(() => compute(good.slice(0, 1))).toThrow(/need an embedding of 2 layers; 1 are given/);
    expect(() =>
      compute(
        mapsOf([
          [3, 2, 2, 4],
          [3, 8, 8, 1]
        ])
      )
    ).toThrow(/stage3 has 3 components instead of 2/);
    expect(() => compute([good[0]!, { ...good[1]!, rows: 7 }])).toThrow(/128 values are not 2 × 7 × 8/);
    expect(compute(good).data.length).toBe(stack.count * 64);
  });
});
