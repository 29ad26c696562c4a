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

/** The lines of {@link outline} as closed polygons, each as x, y one after the other: a dash pattern goes on along them. */
export function polygons(lines: readonly number[]): number[][] {
  /** The two lines that end at a corner: a horizontal and a vertical one. */
  const at = new Map<number, number[]>();
  const key = (x: number, y: number) => y * 0x100000 + x;
  for (let i = 0; i < lines.length; i += 4) {
    for (const end of [key(lines[i]!, lines[i + 1]!), key(lines[i + 2]!, lines[i + 3]!)]) {
      const known = at.get(end);
      if (known) {
        known.push(i);
      } else {
        at.set(end, [i]);
      }
    }
  }
  const out: number[][] = [];
  const done = new Set<number>();
  for (let first = 0; first < lines.length; first += 4) {
    const polygon: number[] = [];
    let [line, x, y] = [first, lines[first]!, lines[first + 1]!];
    while (!done.has(line)) {
      done.add(line);
      polygon.push(x, y);
      const back = lines[line] === x && lines[line + 1] === y;
      [x, y] = back ? [lines[line + 2]!, lines[line + 3]!] : [lines[line]!, lines[line + 1]!];
      line = at.get(key(x, y))!.find(each => each !== line) ?? line;
    }
    if (polygon.length > 0) {
      out.push(polygon);
    }
  }
  return out;
}
