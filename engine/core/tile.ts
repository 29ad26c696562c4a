/** A tile of an image: rows and columns, the ends exclusive. */
export interface ITile {
  row0: number;
  row1: number;
  column0: number;
  column1: number;
}
