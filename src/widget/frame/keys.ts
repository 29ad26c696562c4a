/** The keyboard of a labeller, while it has the focus: runs the commands of `src/widget/commands` at their keys. */
import { IDisposable } from '@lumino/disposable';
import { ILastUsed, setLastUsed } from '../base/last-used';
import { trans } from '../base/translation';
import { commandOf, findCommand, ICommand, ILabellerView, keysOf, keystrokesOf, keystrokeText } from '../commands';
import { SLICE_DIRECTIONS } from '../../shared';
import { LabellerState } from '../state/labeller-state';

/** Listens to the keyboard on a view's root. */
export class KeyMap implements IDisposable, ILastUsed {
  constructor(private readonly _view: ILabellerView) {
    for (const type of EVENTS) {
      _view.node.addEventListener(type, this);
    }
    setLastUsed(this);
    // Runs before JupyterLab's listener, which sits on the document.
    window.addEventListener('keydown', this._onAnyDown, true);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    setLastUsed(null, this);
    window.removeEventListener('keydown', this._onAnyDown, true);
    for (const type of EVENTS) {
      this._view.node.removeEventListener(type, this);
    }
  }

  can(command: string): boolean {
    return findCommand(command).enabled?.(this._view) ?? true;
  }

  run(command: string): void {
    if (this.can(command)) {
      findCommand(command).run(this._view);
    }
  }

  handleEvent(event: Event): void {
    switch (event.type) {
      case 'keydown':
        this._onDown(event as KeyboardEvent);
        break;
      case 'keyup':
        this._release(physical(event as KeyboardEvent));
        break;
      case 'focusin':
        setLastUsed(this);
        break;
      default: {
        // The labeller lost the focus while a key was held down: it will not get the keyup event.
        const next = (event as FocusEvent).relatedTarget;
        if (!(next instanceof Node && this._view.node.contains(next))) {
          [...this._held.keys()].forEach(key => this._release(key));
        }
      }
    }
  }

  /**
   * Keep single keys from JupyterLab while the labeller has the focus; shortcuts with Ctrl or Command, such as saving, reach it
   * unless they are keys of a command: with Ctrl+Z the user means the last stroke.
   */
  private readonly _onAnyDown = (event: KeyboardEvent): void => {
    const { node } = this._view;
    if (event.target instanceof Node && node.contains(event.target)) {
      const passes = (event.ctrlKey || event.metaKey) && !commandOf(keystrokesOf(event));
      if (passes) {
        delete node.dataset['lmSuppressShortcuts'];
      } else {
        node.dataset['lmSuppressShortcuts'] = 'true';
      }
    }
  };

  private _onDown(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const command = commandOf(keystrokesOf(event));
    const accel = event.ctrlKey || event.metaKey;
    // Text fields keep all keys.
    if (target instanceof HTMLInputElement && target.type === 'text') {
      event.stopPropagation();
      return;
    }
    if (!accel && this._keeps(target, event.key, command)) {
      event.stopPropagation();
      return;
    }
    if (!command || (accel && !keysOf(command).some(key => key.startsWith('Accel ')))) {
      return;
    }
    const able = command.enabled?.(this._view) ?? true;
    if (!able && command.onImage) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const why = able ? null : (command.unusable?.(this._view.state) ?? null);
    if (why !== null) {
      this._view.state.note(`${why}. ${howToShowXy(this._view.state)}`);
    }
    if (able && (!event.repeat || command.repeats)) {
      if (command.release) {
        this._held.set(physical(event), command);
      }
      command.run(this._view);
    }
  }

  /** Whether the control with the focus needs the key itself. */
  private _keeps(target: HTMLElement, key: string, command: ICommand | undefined): boolean {
    // A list keeps letters, which select an entry, until the pointer is over the image. H always hides the overlays: the user
    // holds it to look below the feature that was just chosen.
    if (target instanceof HTMLSelectElement && command?.name !== 'hide-overlays' && !this._view.canvas.underPointer) {
      return true;
    }
    return target.matches('input, button, summary, select') && OWN_KEYS.has(key);
  }

  private _release(key: string): void {
    const command = this._held.get(key);
    this._held.delete(key);
    command?.release!(this._view);
  }

  /** The commands whose keys are held down, by the key. */
  private readonly _held = new Map<string, ICommand>();
  private _disposed = false;
}

/** The key itself: its character may change while it is held down, with Shift for example. */
function physical(event: KeyboardEvent): string {
  return event.code || event.key.toUpperCase();
}

/** Tells how the slices in xy come into view. */
function howToShowXy({ direction }: LabellerState): string {
  const [key] = keysOf(findCommand('turn-volume'));
  if (key === undefined) {
    return trans.__('The switch beside the slider shows xy.');
  }
  return SLICE_DIRECTIONS.indexOf(direction) === SLICE_DIRECTIONS.length - 1
    ? trans.__('Press %1 for xy.', keystrokeText(key))
    : trans.__('Press %1 twice for xy.', keystrokeText(key));
}

const EVENTS = ['keydown', 'keyup', 'focusin', 'focusout'] as const;
const OWN_KEYS: ReadonlySet<string> = new Set([
  ' ',
  'Enter',
  'PageUp',
  'PageDown',
  'ArrowLeft',
  'ArrowRight',
  'ArrowUp',
  'ArrowDown',
  'Home',
  'End'
]);
