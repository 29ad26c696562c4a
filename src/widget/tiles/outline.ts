/** The outline of a mask along the edges of its pixels. */

/** The outline's straight lines as x0, y0, x1, y1 one after the other, in pixels of the mask. */
export function outline(mask: Uint8Array, rows: number, columns: number): number[] {
  const lines: number[] = [];
  // There is an edge where two neighbours differ. Adjacent edges become one line.
  for (let row = 0; row <= rows; row++) {
    let start = -1;
    for (let column = 0; column <= columns; column++) {
      const above = row > 0 && column < columns ? mask[(row - 1) * columns + column]! : 0;
      const below = row < rows && column < columns ? mask[row * columns + column]! : 0;
      if (above !== below) {
        start = start < 0 ? column : start;
      } else if (start >= 0) {
        lines.push(start, row, column, row);
        start = -1;
      }
    }
  }
  for (let column = 0; column <= columns; column++) {
    let start = -1;
    for (let row = 0; row <= rows; row++) {
      const left = column > 0 && row < rows ? mask[row * columns + column - 1]! : 0;
      const right = column < columns && row < rows ? mask[row * columns + column]! : 0;
      if (left !== right) {
        start = start < 0 ? row : start;
      } else if (start >= 0) {
        lines.push(column, start, column, row);
        start = -1;
      }
    }
  }
  return lines;
}
