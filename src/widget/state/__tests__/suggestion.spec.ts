/** A suggestion of which the decoder saw a part of the image only. */
import { DEFAULT_MODEL, DecoderManifest, zDecoderManifest } from '../../../shared';
import { Suggestion } from '../suggestion';

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
