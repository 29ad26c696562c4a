/** How a labeller adds a cell to its notebook: the extension, which knows notebooks, says. Loads none of the widget's code. */

/** Insert a cell below the one that holds a node, and run it. Returns whether there is such a cell. */
export type InsertCell = (beside: HTMLElement, source: string) => boolean;

let insert: InsertCell = () => false;

/** Say how a cell is added. */
export function setInsertCell(how: InsertCell): void {
  insert = how;
}

/** Insert a cell below the one that holds a node, and run it. Returns false outside of a notebook. */
export function insertCell(beside: HTMLElement, source: string): boolean {
  return insert(beside, source);
}
