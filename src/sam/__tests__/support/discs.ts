/** An image of discs as SAM would see it: an embedding in which discs differ from the ground, and a decoder that draws the disc at a point. */
import { MOBILE_SAM } from '../../../shared/models/mobile-sam';
import { embeddingShape } from '../../../shared/models';
import { Rect } from '../../../shared/rect';
import { ICandidates, IPrompts } from '../..';

export interface IDisc {
  row: number;
  column: number;
  radius: number;
}

/** Discs in an image of 1024 × 1024 pixels, the encoder's own frame. */
export const SIZE = { rows: 1024, columns: 1024 };

/** Ten discs of radius 40, one of 120. */
export const DISCS: readonly IDisc[] = [
  ...Array.from({ length: 10 }, (_, i) => ({
    row: 150 + 200 * Math.floor(i / 4),
    column: 130 + 230 * (i % 4),
    radius: 40
  })),
  { row: 850, column: 500, radius: 120 }
];

/** Channel 0 is 1 in discs and −1 outside; a few others wave, so that no two places are the same. */
export function discEmbedding(discs: readonly IDisc[] = DISCS): Float32Array {
  const [channels, rows, columns] = embeddingShape(MOBILE_SAM);
  const cell = SIZE.rows / rows;
  const out = new Float32Array(channels * rows * columns);
  for (let place = 0; place < rows * columns; place++) {
    const [row, column] = [(Math.floor(place / columns) + 0.5) * cell, ((place % columns) + 0.5) * cell];
    const inside = discs.some(disc => Math.hypot(disc.row - row, disc.column - column) <= disc.radius);
    out[place] = inside ? 1 : -1;
    for (let channel = 1; channel < 6; channel++) {
      out[channel * rows * columns + place] = 0.2 * Math.sin(place * channel * 0.7);
    }
  }
  return out;
}

const known = new Map<IDisc | null, Float32Array>();

/** Logits of a disc; everything for null. */
export function discLogits(disc: IDisc | null): Float32Array {
  const logits = known.get(disc) ?? makeLogits(disc);
  known.set(disc, logits);
  return logits;
}

function makeLogits(disc: IDisc | null): Float32Array {
  const side = MOBILE_SAM.decoder.maskSize;
  const cell = SIZE.rows / side;
  return Float32Array.from({ length: side * side }, (_, i) => {
    const [row, column] = [(Math.floor(i / side) + 0.5) * cell, ((i % side) + 0.5) * cell];
    return disc ? (disc.radius - Math.hypot(disc.row - row, disc.column - column)) * 2 : 9;
  });
}

/** The disc at the point as the small and medium scale, everything as the large one. */
export function decodeDiscs({ points }: IPrompts, discs: readonly IDisc[] = DISCS): ICandidates {
  const { row, column } = points[0]!;
  const disc = discs.find(each => Math.hypot(each.row - row, each.column - column) <= each.radius) ?? null;
  return { lowRes: [disc, disc, null].map(discLogits), scores: [0.9, 0.8, 1], single: null };
}

/** The greys of a rectangle: 100 outside of the discs. */
export function greysOfDiscs(greyOf: (index: number) => number): (rect: Rect) => Float32Array {
  return ({ row0, row1, column0, column1 }) => {
    const columns = column1 - column0;
    return Float32Array.from({ length: (row1 - row0) * columns }, (_, i) => {
      const [row, column] = [row0 + Math.floor(i / columns), column0 + (i % columns)];
      const index = DISCS.findIndex(disc => Math.hypot(disc.row - row, disc.column - column) <= disc.radius);
      return index < 0 ? 100 : greyOf(index);
    });
  };
}
