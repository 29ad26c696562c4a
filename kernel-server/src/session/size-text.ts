/** The size of an image in errors. */

/** The size of an image as text. A single slice is not mentioned. */
export function sizeText([slices, rows, columns]: number[]): string {
  return `${slices === 1 ? '' : `${slices} × `}${rows} × ${columns}`;
}
