/** Which labels a patch may change, as a table: browser and sidecar ask the same one, so that both have the same pixels. */
import { CLASSES_MAX } from './limits';
import { Replaces } from './protocol';

/** For each label 1 if the patch may change it, else 0. */
export function replaceTable(replaces: Replaces): Uint8Array {
  const table = new Uint8Array(CLASSES_MAX + 1);
  if (replaces === 'all') {
    return table.fill(1);
  }
  for (const id of replaces) {
    table[id] = 1;
  }
  return table;
}
