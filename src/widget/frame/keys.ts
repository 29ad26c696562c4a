/** The keyboard shortcuts of a labeller, while it has the focus. */
import { IDisposable } from '@lumino/disposable';
import { CanvasView } from '../canvas/canvas';
import { TOOLS } from '../canvas/tools';
import { nextShown } from '../base/settings';
import { ILastUsed, setLastUsed } from '../base/last-used';
import { Move } from '../labels/patch-queue';
import { LabellerState } from '../state/labeller-state';

/** The brush size one step larger (1) or smaller (−1): a tenth of the size, at least one pixel; half the size if `large`. */
export function nextBrushSize(size: number, direction: 1 | -1, large: boolean): number {
  const step = Math.max(1, Math.round(size * (large ? 0.5 : 0.1)));
  return size + direction * step;
}

/** Ctrl+Z undoes; Ctrl+Shift+Z and Ctrl+Y make again. Command stands for Ctrl on a Mac. */
function moveOf(event: KeyboardEvent): Move | undefined {
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== 'z' && key !== 'y')) {
    return undefined;
  }
  return key === 'z' && !event.shiftKey ? 'undo' : 'redo';
}

/** Bring the next region where labels would help into this view. */
export async function goToNextRegion(state: LabellerState, canvas: CanvasView): Promise<void> {
  // A user who presses the pointer before the answer comes works elsewhere: leave the view there.
  const leave = () => state.parts?.guide.leave();
  canvas.node.addEventListener('pointerdown', leave);
  try {
    const region = await state.nextRegion();
    if (region) {
      canvas.navigation.lookAt(region);
    }
  } finally {
    canvas.node.removeEventListener('pointerdown', leave);
  }
}

/** Listens to the keyboard on a view's root. */
export class KeyMap implements IDisposable, ILastUsed {
  constructor(options: KeyMap.IOptions) {
    this._options = options;
    for (const type of EVENTS) {
      options.node.addEventListener(type, this);
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
      this._options.node.removeEventListener(type, this);
    }
  }

  /** Go to the next region; JupyterLab's command calls this. */
  nextRegion(): void {
    void goToNextRegion(this._options.state, this._options.canvas);
  }

  handleEvent(event: Event): void {
    switch (event.type) {
      case 'keydown':
        this._onDown(event as KeyboardEvent);
        break;
      case 'keyup':
        this._onUp(event as KeyboardEvent);
        break;
      case 'focusin':
        setLastUsed(this);
        break;
      default: {
        // The labeller lost the focus while a key was held down: it will not get the keyup event.
        const next = (event as FocusEvent).relatedTarget;
        if (!(next instanceof Node && this._options.node.contains(next))) {
          this._options.canvas.panning = false;
          this._options.canvas.hideOverlays = false;
        }
      }
    }
  }

  /**
   * Keep single keys from JupyterLab while the labeller has the focus; shortcuts with Ctrl or Command, such as saving, reach it, but
   * not those that undo: the user means the last stroke.
   */
  private readonly _onAnyDown = (event: KeyboardEvent): void => {
    const { node } = this._options;
    if (event.target instanceof Node && node.contains(event.target)) {
      const passes = (event.ctrlKey || event.metaKey) && !moveOf(event);
      if (passes) {
        delete node.dataset['lmSuppressShortcuts'];
      } else {
        node.dataset['lmSuppressShortcuts'] = 'true';
      }
    }
  };

  private _onDown(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    // Text fields keep all keys.
    if (target instanceof HTMLInputElement && target.type === 'text') {
      event.stopPropagation();
      return;
    }
    const move = moveOf(event);
    if (move) {
      event.preventDefault();
      event.stopPropagation();
      void this._options.state.move(move);
      return;
    }
    if (event.ctrlKey || event.metaKey) {
      return;
    }
    // A list keeps letters, which select an entry, until the pointer is over the image. H always hides the overlays: the user
    // holds it to look below the feature that was just chosen.
    if (target instanceof HTMLSelectElement && !/^h$/i.test(event.key) && !this._options.canvas.underPointer) {
      event.stopPropagation();
      return;
    }
    // A control with the focus keeps the keys that it uses itself.
    const control = target.matches('input, button, summary, select');
    if (control && OWN_KEYS.has(event.key)) {
      event.stopPropagation();
      return;
    }
    if (this._run(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  /** Run the shortcut of a key. Returns whether there is one. */
  private _run(event: KeyboardEvent): boolean {
    const { state, canvas } = this._options;
    const { settings } = state;
    if (/^[1-9]$/.test(event.key)) {
      const item = state.session?.classes[Number(event.key) - 1];
      if (item) {
        state.setClass(item.id);
      }
      return true;
    }
    switch (event.key) {
      case 'l':
      case 'L':
        void state.setLive(!state.live.on);
        return true;
      case 'n':
      case 'N':
        void goToNextRegion(state, canvas);
        return true;
      case '[':
      case '{':
        settings.set({ brushSize: nextBrushSize(settings.values.brushSize, -1, event.shiftKey) });
        return true;
      case ']':
      case '}':
        settings.set({ brushSize: nextBrushSize(settings.values.brushSize, 1, event.shiftKey) });
        return true;
      case 'v':
      case 'V':
        settings.set({ shown: nextShown(settings.values.shown) });
        return true;
      case 'h':
      case 'H':
        canvas.hideOverlays = true;
        return true;
      case ' ':
        canvas.panning = true;
        return true;
      case '0':
        canvas.navigation.showAll();
        return true;
      case '+':
      case '=':
        canvas.navigation.zoom(1.5);
        return true;
      case '-':
        canvas.navigation.zoom(1 / 1.5);
        return true;
      case 'PageUp':
        state.setSlice(state.slice - 1);
        return true;
      case 'PageDown':
        state.setSlice(state.slice + 1);
        return true;
      case 'Escape':
        canvas.handler.cancel?.();
        state.parts?.guide.dismiss();
        return true;
      case 'Enter':
        canvas.handler.finish?.();
        return true;
      case 'Backspace':
        canvas.handler.removeLast?.();
        return canvas.handler.removeLast !== undefined;
      default: {
        const tool = TOOLS.find(({ key }) => key === event.key.toLowerCase());
        if (tool) {
          state.setTool(tool.name);
        }
        return tool !== undefined;
      }
    }
  }

  private _onUp(event: KeyboardEvent): void {
    if (event.key === ' ') {
      this._options.canvas.panning = false;
    } else if (event.key === 'h' || event.key === 'H') {
      this._options.canvas.hideOverlays = false;
    }
  }

  private readonly _options: KeyMap.IOptions;
  private _disposed = false;
}

/** The namespace for {@link KeyMap}. */
export namespace KeyMap {
  export interface IOptions {
    node: HTMLElement;
    state: LabellerState;
    canvas: CanvasView;
  }
}

const EVENTS = ['keydown', 'keyup', 'focusin', 'focusout'] as const;
const OWN_KEYS: ReadonlySet<string> = new Set([' ', 'Enter', 'PageUp', 'PageDown']);
