/** @jest-environment jsdom */
import '../../__tests__/page';
import { LABEL_TILE } from '../../../shared';
import { OverlayPictures } from '../overlay-pictures';

const SIDE = LABEL_TILE;

/** Canvases that keep their pixels; `drawn` counts the rows that were written. */
function canvases() {
  const kept = new Map<unknown, Uint32Array>();
  const drawn = { rows: 0 };
  Object.assign(globalThis, {
    ImageData: class {
      constructor(
        readonly data: Uint8ClampedArray,
        readonly width: number,
        readonly height: number
      ) {}
    }
  });
  HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement) {
    return {
      putImageData: ({ data, width, height }: ImageData, _: number, row: number) => {
        const pixels = kept.get(this) ?? new Uint32Array(this.width * this.height);
        kept.set(this, pixels);
        pixels.set(new Uint32Array(data.buffer, data.byteOffset, width * height), row * width);
        drawn.rows += height;
      }
    };
  } as never;
  return { drawn, pixels: (canvas: HTMLCanvasElement | undefined) => kept.get(canvas) };
}

describe('The picture of a tile of which rows changed', () => {
  it.each([0, 1, 3, 5])('is that of the whole tile drawn anew, with few rows drawn (level %i)', level => {
    const { drawn, pixels } = canvases();
    const palette = Uint32Array.from({ length: 256 }, (_, i) => i * 7);
    const tile = new Uint8Array(SIDE * SIDE);
    const pictures = new OverlayPictures();
    pictures.palette = palette;
    const get = () => pictures.get('0/0/0', level, () => tile);
    get();
    for (const [from, to, id] of [
      [37, 41, 1],
      [40, 90, 2],
      [255, 256, 3]
    ] as const) {
      tile.fill(id, from * SIDE, to * SIDE);
      pictures.invalidate('0/0/0', { from, to });
    }
    drawn.rows = 0;
    tile.fill(4, 100 * SIDE, 103 * SIDE);
    get();
    pictures.invalidate('0/0/0', { from: 100, to: 103 });
    drawn.rows = 0;
    const picture = get();
    expect(drawn.rows).toBeLessThanOrEqual(Math.ceil(3 / 2 ** level) + 1);
    const fresh = new OverlayPictures();
    fresh.palette = palette;
    expect(pixels(picture)).toEqual(pixels(fresh.get('0/0/0', level, () => tile)));
    expect(pixels(picture)!.some(pixel => pixel > 0)).toBe(true);
  });

  it('is drawn as a whole if the tile was removed and made anew meanwhile', () => {
    const { pixels } = canvases();
    const pictures = new OverlayPictures();
    pictures.palette = Uint32Array.from({ length: 256 }, (_, i) => i);
    pictures.get('0/0/0', 0, () => new Uint8Array(SIDE * SIDE).fill(5));
    const fresh = new Uint8Array(SIDE * SIDE);
    fresh.fill(2, 10 * SIDE, 12 * SIDE);
    pictures.invalidate('0/0/0', { from: 10, to: 12 });
    const drawn = pixels(pictures.get('0/0/0', 0, () => fresh))!;
    expect(drawn.findIndex((pixel, at) => pixel !== fresh[at])).toBe(-1);
  });
});
