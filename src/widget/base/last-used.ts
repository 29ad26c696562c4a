/** The labeller that commands of JupyterLab mean: the one that had the focus last, or was shown last. Without the widget's code. */
import { ISignal, Signal } from '@lumino/signaling';

/** What a command can ask of a labeller. */
export interface ILastUsed {
  /** Go to the next region that would be worth labels. */
  nextRegion(): void;
}

let used: ILastUsed | null = null;
const owner = {};
const changed = new Signal<object, void>(owner);

/** Emits when there is another one, or none. */
export const lastUsedChanged: ISignal<object, void> = changed;

/** The labeller; null if there is none. */
export function lastUsed(): ILastUsed | null {
  return used;
}

/** This one is used now. With `instead`: only if that one was used, which goes. */
export function setLastUsed(labeller: ILastUsed | null, instead: ILastUsed | null = used): void {
  if (used === instead && used !== labeller) {
    used = labeller;
    changed.emit();
  }
}
