/** The contract of a command: how keys, buttons and JupyterLab know it, and what it does. */
import { CanvasView } from '../canvas/canvas';
import { LabellerState } from '../state/labeller-state';

/** The part of a view of a labeller that commands use. */
export interface ILabellerView {
  /** The root element. */
  readonly node: HTMLElement;
  readonly state: LabellerState;
  readonly canvas: CanvasView;
  /** Show the list of all keys, or close it. */
  toggleHelp(): void;
  /** Show it over the whole window, or in its cell again. */
  toggleFullWindow(): void;
  /** Whether it is shown over the whole window. */
  isFullWindow(): boolean;
}

/** The groups of the list of keys, in its order. */
export const GROUPS = [
  'tools',
  'suggestions',
  'drawing',
  'changes',
  'classes',
  'view',
  'keyboard',
  'training'
] as const;

export type CommandGroup = (typeof GROUPS)[number];

/** A command. */
export interface ICommand {
  /** Verb and noun, as in `zoom-in`; JupyterLab's id is `sambalab:` and this. */
  readonly name: string;
  readonly group: CommandGroup;
  /** What it does in a few words, for the list of keys, the command palette and, without a description, the button. */
  label(): string;
  /** The tooltip of its button, without the key. */
  description?(): string;
  /** Its keystrokes, as {@link keystrokesOf} writes them; the first is shown on the button. A user may change them in JupyterLab. */
  readonly keys: readonly string[];
  /** Whether it can be run now; always, if left out. */
  enabled?(view: ILabellerView): boolean;
  /** Why it cannot be run on slices in this direction, for the user who presses its key; null if it can, or for another reason. */
  unusable?(state: LabellerState): string | null;
  run(view: ILabellerView): void;
  /** The key is let go. A command with this lasts while its key is held down, and is no command of JupyterLab. */
  release?(view: ILabellerView): void;
  /** Whether it runs again and again while its key is held down. */
  readonly repeats?: boolean;
  /** Whether it needs the image: its keys belong to a control that has the focus, and it is no command of JupyterLab. */
  readonly onImage?: boolean;
  /** Commands with the same text are one row of the list of keys. */
  row?(): string;
}
