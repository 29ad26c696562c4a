import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { LABEL_TILE, Replaces } from '../../../shared';
import { LabelTiles } from '../label-tiles';
import { decodePatch, decodeTile, encodePatch, IMaskedPatch } from '../patches';
import { MASK_BYTES } from '../../../shared';
import { MaskBuilder } from '../raster';

const image = { rows: 300, columns: 520 };
const session = '0123456789abcdef';

function patch(classId: number, replaces: Replaces, runs: [number, number, number][]): IMaskedPatch {
  const mask = new MaskBuilder(image);
  runs.forEach(([row, start, end]) => mask.addRun(row, start, end));
  return { slice: 0, classId, replaces, tiles: mask.tiles() };
}

/** What the protocol says that a patch does, pixel by pixel on a plain array. */
function reference(labels: Uint8Array, classId: number, replaces: Replaces, runs: [number, number, number][]): void {
  for (const [row, start, end] of runs) {
    for (let column = start; column < end; column++) {
      const at = row * image.columns + column;
      if (replaces === 'all' || replaces.includes(labels[at]!)) {
        labels[at] = classId;
      }
    }
  }
}

describe('patches', () => {
  it('says which of the tiles in view have labels', () => {
    const tiles = new LabelTiles({ rows: 1000, columns: 1000 });
    const view = { row0: 0, row1: 768, column0: 0, column1: 768 };
    expect(tiles.in(view)).toEqual([]);
    tiles.paintRun(300, 200, 300, 1, 'all');
    tiles.paintRun(900, 990, 1000, 1, 'all'); // not in view
    expect(tiles.in(view)).toEqual([
      { row: 1, column: 0 },
      { row: 1, column: 1 }
    ]);
  });

  it('are the same after encoding and decoding', () => {
    const sent = patch(
      7,
      [0],
      [
        [5, 3, 400],
        [299, 0, 520]
      ]
    );
    const { params, buffers } = encodePatch(session, sent);
    expect(params.session).toBe(session);
    expect(decodePatch(params, buffers)).toEqual(sent);
  });

  it('are raw deflate, which the sidecar inflates', () => {
    const { buffers } = encodePatch(session, patch(1, [0], [[0, 0, 8]]));
    const bits = inflateRawSync(buffers[0]!);
    expect(bits.byteLength).toBe(MASK_BYTES);
    expect(bits[0]).toBe(255);
    expect(bits[1]).toBe(0);
  });

  it('are refused if a buffer is no mask', () => {
    const { params, buffers } = encodePatch(session, patch(1, [0], [[0, 0, 8]]));
    expect(() => decodePatch(params, [])).toThrow(/0 buffers/);
    expect(() => decodePatch(params, [deflateRawSync(new Uint8Array(MASK_BYTES + 5))])).toThrow(/inflates to/);
    expect(() => decodePatch(params, [deflateRawSync(new Uint8Array(10))])).toThrow(/inflates to 10/);
    expect(() => decodePatch(params, [buffers[0]!.slice(0, 3)])).toThrow();
  });

  it('decode tiles of class ids', () => {
    const ids = Uint8Array.from({ length: LABEL_TILE ** 2 }, (_, i) => i % 5);
    expect(decodeTile(deflateRawSync(ids))).toEqual(ids);
  });
});

describe('LabelTiles', () => {
  it('applies patches as the protocol defines them', () => {
    const tiles = new LabelTiles(image);
    const want = new Uint8Array(image.rows * image.columns);
    const steps: [number, Replaces, [number, number, number][]][] = [
      [
        1,
        [0],
        [
          [10, 200, 300],
          [11, 250, 260]
        ]
      ],
      [2, [0], [[10, 250, 400]]],
      [
        3,
        'all',
        [
          [10, 290, 310],
          [257, 500, 520]
        ]
      ],
      [
        0,
        [2],
        [
          [10, 205, 210],
          [100, 0, 50]
        ]
      ],
      [2, [0], [[10, 200, 220]]],
      [1, [2], [[10, 0, 520]]],
      [0, [3], [[10, 295, 305]]],
      [0, 'all', [[10, 390, 395]]]
    ];
    for (const [classId, replaces, runs] of steps) {
      for (const mask of patch(classId, replaces, runs).tiles) {
        tiles.apply(mask, classId, replaces);
      }
      reference(want, classId, replaces, runs);
    }
    for (let row = 0; row < image.rows; row++) {
      for (let column = 0; column < image.columns; column++) {
        if (tiles.at(row, column) !== want[row * image.columns + column]) {
          throw new Error(`pixel (${row}, ${column}) is ${tiles.at(row, column)}`);
        }
      }
    }
  });

  it('paints a stroke’s runs to the same pixels as its patch', () => {
    const runs: [number, number, number][] = [
      [20, 100, 300],
      [21, 100, 300],
      [20, 250, 350]
    ];
    for (const [classId, replaces] of [
      [1, [0]],
      [1, 'all'],
      [1, [2]],
      [3, []],
      [0, 'all'],
      [0, [2]],
      [0, [0, 1]]
    ] as [number, Replaces][]) {
      const [live, whole] = [new LabelTiles(image), new LabelTiles(image)];
      for (const tiles of [live, whole]) {
        patch(2, [0], [[20, 150, 260]]).tiles.forEach(mask => tiles.apply(mask, 2, [0]));
      }
      runs.forEach(([row, start, end]) => live.paintRun(row, start, end, classId, replaces));
      patch(classId, replaces, runs).tiles.forEach(mask => whole.apply(mask, classId, replaces));
      expect(live.tile(0, 0)).toEqual(whole.tile(0, 0));
      expect(live.tile(0, 1) ?? null).toEqual(whole.tile(0, 1) ?? null);
    }
  });

  it('counts the pixels that a patch changes', () => {
    const tiles = new LabelTiles(image);
    const [mask] = patch(1, [0], [[0, 0, 10]]).tiles;
    expect(tiles.apply(mask!, 1, [0])).toBe(10);
    expect(tiles.apply(mask!, 1, [0])).toBe(0);
    expect(tiles.apply(mask!, 2, [0])).toBe(0);
    expect(tiles.apply(mask!, 2, 'all')).toBe(10);
  });

  it('creates no tile by erasing', () => {
    const tiles = new LabelTiles(image);
    tiles.paintRun(0, 0, 500, 0, 'all');
    patch(0, [0], [[0, 0, 10]]).tiles.forEach(mask => tiles.apply(mask, 0, [0]));
    expect(tiles.tile(0, 0)).toBeUndefined();
    expect(tiles.tile(0, 1)).toBeUndefined();
    expect(tiles.at(0, 5)).toBe(0);
  });
});
