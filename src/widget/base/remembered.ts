/** Small values that the browser remembers from one page to the next, by name. A browser that keeps nothing is no error. */

const ITEM = 'sambalab:remembered';
/** Names kept, those that were set last. */
const KEPT = 100;

/** Remember a value, or forget it (null). */
export function remember(name: string, value: object | null): void {
  try {
    const kept = all().filter(([other]) => other !== name);
    if (value !== null) {
      kept.push([name, value]);
    }
    localStorage.setItem(ITEM, JSON.stringify(kept.slice(-KEPT)));
  } catch {
    // Private windows and full stores refuse.
  }
}

/** The value of this name; null if there is none. It may be of any form: another version may have written it. */
export function recall(name: string): unknown {
  try {
    return all().find(([other]) => other === name)?.[1] ?? null;
  } catch {
    return null;
  }
}

function all(): [string, unknown][] {
  const kept: unknown = JSON.parse(localStorage.getItem(ITEM) ?? '[]');
  return Array.isArray(kept) ? kept.filter((one): one is [string, unknown] => Array.isArray(one)) : [];
}
