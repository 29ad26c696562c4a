/** Suggestions of a part of the image, of another shape, and weak ones. */
import { DEFAULT_MODEL, DecoderManifest, Rect, zDecoderManifest } from '../../../shared';
import { DEFAULT_SETTINGS } from '../../base/settings';
import { IObjectShape, PLAIN_SHAPE } from '../../../sam';
import { Suggestion } from '../suggestion';
import { isHidden, isWeak } from '../weak-suggestions';

const manifest: DecoderManifest = zDecoderManifest.parse(DEFAULT_MODEL);

it('of a part of the image has the mask of that part as an image of its own, and nothing elsewhere', () => {
  const side = manifest.decoder.maskSize;
  const lowRes = Float32Array.from({ length: side * side }, (_, i) =>
    Math.hypot(Math.floor(i / side) - side / 3, (i % side) - side / 2) < side / 5 ? 3 : -3
  );
  const candidates = { lowRes: [lowRes], scores: [1] } as never;
  const [rows, columns] = [90, 120];
  const seen = { row0: 300, row1: 300 + rows, column0: 40, column1: 40 + columns };
  const image = { rows: 500, columns: 400 };
  const alone = new Suggestion({ row: 30, column: 60 }, candidates, 0, { rows, columns }, manifest);
  const inside = new Suggestion({ row: 330, column: 100 }, candidates, 0, image, manifest, seen);
  const expected = new Uint8Array(image.rows * image.columns);
  alone.mask().forEach((bit, i) => {
    expected[(300 + Math.floor(i / columns)) * image.columns + 40 + (i % columns)] = bit;
  });
  expect(expected.some(bit => bit === 1)).toBe(true);
  expect(Buffer.from(inside.mask()).equals(Buffer.from(expected))).toBe(true);
  expect(inside.bounds).toEqual({
    row0: alone.bounds.row0 + 300,
    row1: alone.bounds.row1 + 300,
    column0: alone.bounds.column0 + 40,
    column1: alone.bounds.column1 + 40
  });
  // Its tiles, of which a patch is made, are the same pixels.
  const drawn = new Uint8Array(expected.length);
  for (const { row, column, bits: mask } of inside.tiles()) {
    for (let i = 0; i < 256 * 256; i++) {
      if (mask[i >> 3]! & (128 >> (i & 7))) {
        drawn[(row * 256 + (i >> 8)) * image.columns + column * 256 + (i & 255)] = 1;
      }
    }
  }
  expect(Buffer.from(drawn).equals(Buffer.from(expected))).toBe(true);
});

it('of another shape has the same pixels in parts, in tiles and as a whole, inside its bounds', () => {
  const side = manifest.decoder.maskSize;
  const [rows, columns] = [400, 512];
  const image = { rows, columns };
  const at = { row: 200, column: 256 };
  // A disc with a hole at the pixel's place and a bar that touches the image's border.
  const lowRes = Float32Array.from({ length: side * side }, (_, i) => {
    const [row, column] = [Math.floor(i / side), i % side];
    const distance = Math.hypot(row - 100, column - 128);
    return (distance < 40 && Math.hypot(row - 80, column - 128) > 8) || column < 12 ? 3 : -3;
  });
  const reshaped = (shape: IObjectShape, greysIn?: (rect: Rect) => Float32Array | null) =>
    new Suggestion(
      at,
      { lowRes: [lowRes], scores: [0.9] } as never,
      0,
      image,
      manifest,
      undefined,
      shape,
      [at],
      greysIn
    );
  const plain = reshaped(PLAIN_SHAPE);
  const area = (mask: Uint8Array) => mask.reduce((sum, bit) => sum + bit, 0);
  const sizes: Record<string, number> = { plain: area(plain.mask()) };
  const shapes: Record<string, Partial<IObjectShape>> = {
    connected: { connected: true },
    filled: { connected: true, filled: true },
    smooth: { smooth: true },
    grown: { grow: 3 },
    shrunk: { grow: -2, filled: true },
    edges: { edges: true },
    edgesGrown: { edges: true, connected: true, grow: 2 }
  };
  // The image has the same disc, but two pixels wider.
  const greys = ({ row0, row1, column0, column1 }: Rect) => {
    const width = column1 - column0;
    const grey = (i: number) => {
      const [row, column] = [row0 + Math.floor(i / width), column0 + (i % width)];
      const distance = Math.hypot(row - 200, column - 256);
      return (distance < 82 && Math.hypot(row - 160, column - 256) > 16) || column < 24 ? 200 : 50;
    };
    return Float32Array.from({ length: (row1 - row0) * width }, (_, i) => grey(i));
  };
  for (const [name, shape] of Object.entries(shapes)) {
    const suggestion = reshaped({ ...PLAIN_SHAPE, ...shape }, greys);
    expect(suggestion.isRefined).toBe(shape.edges ?? false);
    const mask = suggestion.mask();
    sizes[name] = area(mask);
    const { bounds } = suggestion;
    const drawn = new Uint8Array(mask.length);
    for (const { row, column, bits } of suggestion.tiles()) {
      for (let i = 0; i < 256 * 256; i++) {
        if (bits[i >> 3]! & (128 >> (i & 7))) {
          drawn[(row * 256 + (i >> 8)) * columns + column * 256 + (i & 255)] = 1;
        }
      }
    }
    expect(Buffer.from(drawn).equals(Buffer.from(mask))).toBe(true);
    for (let row0 = 0; row0 < rows; row0 += 40) {
      for (let column0 = 0; column0 < columns; column0 += 64) {
        const region = { row0, row1: row0 + 40, column0, column1: column0 + 64 };
        const part = suggestion.region(region);
        const uniform = suggestion.uniform(region);
        for (let i = 0; i < part.length; i++) {
          const [row, column] = [row0 + Math.floor(i / 64), column0 + (i % 64)];
          const bit = mask[row * columns + column]!;
          const wrong =
            part[i] !== bit ||
            (uniform ?? bit) !== bit ||
            (bit === 1 &&
              !(row >= bounds.row0 && row < bounds.row1 && column >= bounds.column0 && column < bounds.column1));
          if (wrong) {
            throw new Error(`${name}: row ${row}, column ${column}`);
          }
        }
      }
    }
  }
  expect(sizes['plain']! - sizes['connected']!).toBeGreaterThan(20 * 380); // the bar
  expect(sizes['filled']! - sizes['connected']!).toBeGreaterThan(600); // the hole
  expect(Math.abs(sizes['smooth']! / sizes['plain']! - 1)).toBeLessThan(0.02);
  expect(sizes['grown']! - sizes['plain']!).toBeGreaterThan(3 * 3 * 40); // both borders
  const object = greys({ row0: 0, row1: rows, column0: 0, column1: columns });
  const wrong = (mask: Uint8Array) => mask.reduce((sum, bit, i) => sum + ((bit === 1) !== object[i]! > 100 ? 1 : 0), 0);
  expect(wrong(plain.mask())).toBeGreaterThan(800);
  expect(wrong(reshaped({ ...PLAIN_SHAPE, edges: true }, greys).mask())).toBeLessThan(wrong(plain.mask()) / 3);
  expect(reshaped({ ...PLAIN_SHAPE, edges: true }, () => null).mask()).toEqual(plain.mask()); // no greys
  expect(sizes['shrunk']!).toBeLessThan(sizes['plain']!);
  expect(reshaped({ ...PLAIN_SHAPE, grow: -2 }).mask()[300 * columns]).toBe(1); // not at the image's border
});

it('is weak if its score or its stability is below the user’s limit, and then hidden unless it is held', () => {
  const lowRes = new Float32Array(manifest.decoder.maskSize ** 2).fill(-5).fill(5, 0, 900).fill(0.5, 900, 1000);
  const image = { rows: 100, columns: 100 };
  const suggestion = new Suggestion(
    { row: 0, column: 0 },
    { lowRes: [lowRes], scores: [0.85] } as never,
    0,
    image,
    manifest
  );
  expect(suggestion.stability).toBeCloseTo(0.9, 6);
  const settings = { ...DEFAULT_SETTINGS, weakSuggestions: 'hidden' } as const;
  const weak = [{}, { suggestionScore: 0.9 }, { suggestionStability: 0.95 }].map(limits => ({
    ...settings,
    ...limits
  }));
  expect(weak.map(values => isWeak(suggestion, values))).toEqual([false, true, true]);
  expect(weak.map(values => isHidden(suggestion, false, values))).toEqual([false, true, true]);
  expect(isHidden(suggestion, true, weak[1]!)).toBe(false);
  expect(isHidden(suggestion, false, { ...weak[1]!, weakSuggestions: 'dashed' })).toBe(false);
});
