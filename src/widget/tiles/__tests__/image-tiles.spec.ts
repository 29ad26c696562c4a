/**
 * What the page keeps of an image, and of pictures of overlays.
 * @jest-environment jsdom
 */
import '../../__tests__/page';
import { fakePage } from '../../canvas/__tests__/fake-page';
import { FakeLink } from '../../base/__tests__/fake-link';
import { IImageTileRef, ImageTiles } from '../image-tiles';
import { OverlayPictures } from '../overlay-pictures';

fakePage();

const IMAGE = { rows: 20000, columns: 20000 };
/** A tile of 16-bit greys: its pixels and its canvas. */
const TILE = 512 * 512 * (2 + 4);
const look = {
  range: { low: 0, high: 65535 },
  display: { low: 0, high: 65535, gamma: 1, inverse: false, channels: [true] }
};
const tick = () => new Promise(resolve => setTimeout(resolve, 0));
/** Tiles of a view that is `side` tiles wide and high. */
const view = (column: number, side = 3): IImageTileRef[] =>
  Array.from({ length: side * side }, (_, i) => ({
    slice: 0,
    level: 0,
    row: Math.floor(i / side),
    column: column + (i % side)
  }));

function make(bytesMax: number) {
  const asked: string[] = [];
  const link = new FakeLink(async (_, { level, row, column }: IImageTileRef) => {
    asked.push(`${level}/${row}/${column}`);
    const result = { rows: 512, columns: 512, channels: 1, dtype: 'uint16' };
    return { result, buffers: [new Uint8Array(512 * 512 * 2)] };
  });
  const tiles = new ImageTiles({ image: IMAGE, link, look: look as never, bytesMax });
  const show = async (wanted: IImageTileRef[]) => {
    tiles.want(wanted);
    while (tiles.pending > 0) {
      await tick();
    }
    return wanted.map(tile => tiles.picture(tile)!);
  };
  return { tiles, asked, show };
}

describe('The tiles of an image', () => {
  it('are kept up to a limit in bytes, whatever is panned across, and canvases of dropped ones are emptied', async () => {
    const { tiles, asked, show } = make(20 * TILE);
    const first = await show(view(0));
    expect(first.every(({ exact, canvas }) => exact && canvas.width === 512)).toBe(true);
    for (let column = 1; column < 12; column++) {
      await show(view(column));
      expect(tiles.bytes).toBeLessThanOrEqual(20 * TILE);
    }
    expect(asked).toHaveLength(3 * 14 + 1);
    expect(first.every(({ canvas }) => canvas.width === 0)).toBe(true);
    expect(tiles.picture(view(0)[0]!)).toMatchObject({ exact: false }); // of the coarsest level, which is used in every view
    asked.length = 0;
    await show(view(10));
    expect(asked).toEqual([]);
  });

  it('give the greys of a rectangle across tiles, if all of them are kept', async () => {
    const link = new FakeLink(async (_, { row, column }: IImageTileRef) => {
      const bytes = new Uint8Array(512 * 512 * 3).fill(10 * row + column);
      bytes[0] = 90; // the first channel of the tile's first pixel
      return { result: { rows: 512, columns: 512, channels: 3, dtype: 'uint8' }, buffers: [bytes] };
    });
    const tiles = new ImageTiles({ image: IMAGE, link, look: look as never });
    const rect = { row0: 511, row1: 513, column0: 1023, column1: 1025 };
    expect(tiles.greys(0, rect)).toBeNull();
    tiles.want(view(1, 2));
    while (tiles.pending > 0) {
      await tick();
    }
    expect(tiles.greys(0, rect)).toEqual(Float32Array.of(1, 2, 11, (90 + 12 + 12) / 3));
    expect(tiles.greys(1, rect)).toBeNull();
    expect(tiles.greys(0, { ...rect, row1: 1025 })).toBeNull();
  });

  it('of a view that needs more than the limit are all kept, but not those of earlier views', async () => {
    const { tiles, asked, show } = make(4 * TILE);
    await show(view(0, 6));
    asked.length = 0;
    const shown = await show(view(0, 6));
    expect([asked, shown.every(({ exact }) => exact)]).toEqual([[], true]);
    await show(view(10, 6));
    await show(view(20, 2));
    expect(tiles.bytes).toBeLessThanOrEqual(6 * TILE);
  });
});

describe('The pictures of an overlay', () => {
  it('are kept up to a limit in bytes, or as many as are in view', () => {
    const pictures = new OverlayPictures();
    const draw = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => pictures.get(`0/0/${from + i}`, 0, () => new Uint8Array(256 * 256))!);
    pictures.reserve(40);
    const first = draw(0, 40);
    draw(40, 400);
    expect(pictures.bytes).toBeLessThanOrEqual(32 << 20);
    expect(pictures.bytes).toBeGreaterThan(31 << 20);
    expect(first[0]!.width).toBe(0);
    pictures.reserve(400);
    const shown = draw(1000, 400);
    expect(shown.every(({ width }) => width === 256)).toBe(true);
    pictures.reserve(40);
    expect(pictures.bytes).toBeLessThanOrEqual(32 << 20);
  });
});
