/** The keys of commands as the user has set them in JupyterLab. Pages without JupyterLab use the commands' own keys. */

let keys: ReadonlyMap<string, readonly string[]> | null = null;

/** The user's keystrokes of a command, none if the user took them away; `undefined` without JupyterLab. */
export function userKeys(name: string): readonly string[] | undefined {
  return keys ? (keys.get(name) ?? []) : undefined;
}

/** Set all keystrokes that JupyterLab has for the commands, by the commands' names; null for the commands' own. */
export function setUserKeys(next: ReadonlyMap<string, readonly string[]> | null): void {
  keys = next;
}
