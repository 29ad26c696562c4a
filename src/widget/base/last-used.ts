/** The labeller that JupyterLab's commands act on: the last one that had the focus or was shown. Loads none of the widget's code. */
import { ISignal, Signal } from '@lumino/signaling';

/** The part of a labeller that JupyterLab's commands use. */
export interface ILastUsed {
  /** Whether it can run a command now, by the command's name. */
  can(command: string): boolean;
  /** Run a command by its name. */
  run(command: string): void;
}

let used: ILastUsed | null = null;
const owner = {};
const changed = new Signal<object, void>(owner);

/** Emits when another labeller becomes the last used one, or none is left. */
export const lastUsedChanged: ISignal<object, void> = changed;

/** The last used labeller; null if there is none. */
export function lastUsed(): ILastUsed | null {
  return used;
}

/** Set the last used labeller. With `instead`: only if that one is the last used now. */
export function setLastUsed(labeller: ILastUsed | null, instead: ILastUsed | null = used): void {
  if (used === instead && used !== labeller) {
    used = labeller;
    changed.emit();
  }
}
