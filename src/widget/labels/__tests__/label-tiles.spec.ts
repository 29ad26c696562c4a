import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { LABEL_TILE } from '../../../shared';
import { LabelTiles } from '../label-tiles';
import { decodePatch, decodeTile, encodePatch, IMaskedPatch } from '../patches';
import { MASK_BYTES } from '../../../shared';
import { MaskBuilder } from '../raster';

const image = { rows: 300, columns: 520 };
const session = '0123456789abcdef';

function patch(classId: number, preserve: boolean, runs: [number, number, number][]): IMaskedPatch {
  const mask = new MaskBuilder(image);
  runs.forEach(([row, start, end]) => mask.addRun(row, start, end));
  return { slice: 0, classId, preserve, tiles: mask.tiles() };
}

/** What the protocol says that a patch does, pixel by pixel on a plain array. */
function reference(labels: Uint8Array, classId: number, preserve: boolean, runs: [number, number, number][]): void {
  for (const [row, start, end] of runs) {
    for (let column = start; column < end; column++) {
      const at = row * image.columns + column;
      if (classId === 0 || !preserve || labels[at] === 0) {
        labels[at] = classId;
      }
    }
  }
}

describe('patches', () => {
  it('are the same after encoding and decoding', () => {
    const sent = patch(7, true, [
      [5, 3, 400],
      [299, 0, 520]
    ]);
    const { params, buffers } = encodePatch(session, sent);
    expect(params.session).toBe(session);
    expect(decodePatch(params, buffers)).toEqual(sent);
  });

  it('are raw deflate, which the sidecar inflates', () => {
    const { buffers } = encodePatch(session, patch(1, true, [[0, 0, 8]]));
    const bits = inflateRawSync(buffers[0]!);
    expect(bits.byteLength).toBe(MASK_BYTES);
    expect(bits[0]).toBe(255);
    expect(bits[1]).toBe(0);
  });

  it('are refused if a buffer is no mask', () => {
    const { params, buffers } = encodePatch(session, patch(1, true, [[0, 0, 8]]));
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
    const steps: [number, boolean, [number, number, number][]][] = [
      [
        1,
        true,
        [
          [10, 200, 300],
          [11, 250, 260]
        ]
      ],
      [2, true, [[10, 250, 400]]],
      [
        3,
        false,
        [
          [10, 290, 310],
          [257, 500, 520]
        ]
      ],
      [
        0,
        true,
        [
          [10, 205, 210],
          [100, 0, 50]
        ]
      ],
      [2, true, [[10, 200, 220]]]
    ];
    for (const [classId, preserve, runs] of steps) {
      for (const mask of patch(classId, preserve, runs).tiles) {
        tiles.apply(mask, classId, preserve);
      }
      reference(want, classId, preserve, runs);
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
    for (const [classId, preserve] of [
      [1, true],
      [1, false],
      [0, true]
    ] as const) {
      const [live, whole] = [new LabelTiles(image), new LabelTiles(image)];
      for (const tiles of [live, whole]) {
        patch(2, true, [[20, 150, 260]]).tiles.forEach(mask => tiles.apply(mask, 2, true));
      }
      runs.forEach(([row, start, end]) => live.paintRun(row, start, end, classId, preserve));
      patch(classId, preserve, runs).tiles.forEach(mask => whole.apply(mask, classId, preserve));
      expect(live.tile(0, 0)).toEqual(whole.tile(0, 0));
      expect(live.tile(0, 1) ?? null).toEqual(whole.tile(0, 1) ?? null);
    }
  });

  it('counts the pixels that a patch changes', () => {
    const tiles = new LabelTiles(image);
    const [mask] = patch(1, true, [[0, 0, 10]]).tiles;
    expect(tiles.apply(mask!, 1, true)).toBe(10);
    expect(tiles.apply(mask!, 1, true)).toBe(0);
    expect(tiles.apply(mask!, 2, true)).toBe(0);
    expect(tiles.apply(mask!, 2, false)).toBe(10);
  });

  it('creates no tile by erasing', () => {
    const tiles = new LabelTiles(image);
    tiles.paintRun(0, 0, 500, 0, true);
    patch(0, true, [[0, 0, 10]]).tiles.forEach(mask => tiles.apply(mask, 0, true));
    expect(tiles.tile(0, 0)).toBeUndefined();
    expect(tiles.tile(0, 1)).toBeUndefined();
    expect(tiles.at(0, 5)).toBe(0);
  });
});
