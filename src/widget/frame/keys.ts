/** The keys of a labeller, while it has the focus. */
import { IDisposable } from '@lumino/disposable';
import { CanvasView } from '../canvas/canvas';
import { TOOLS } from '../canvas/tools';
import { ILastUsed, setLastUsed } from '../base/last-used';
import { LabellerState } from '../state/labeller-state';

/** The brush one step larger (1) or smaller (−1): a tenth, at least one pixel; ten steps at once with Shift. */
export function nextBrushSize(size: number, direction: 1 | -1, large: boolean): number {
  const step = Math.max(1, Math.round(size * (large ? 0.5 : 0.1)));
  return size + direction * step;
}

/** Go to the next region that would be worth labels, in this view. */
export async function goToNextRegion(state: LabellerState, canvas: CanvasView): Promise<void> {
  // Whoever draws or drags meanwhile has found another place, and is not to be taken from there.
  const leave = () => state.parts?.guide.leave();
  canvas.node.addEventListener('pointerdown', leave);
  try {
    const region = await state.nextRegion();
    if (region) {
      canvas.lookAt(region);
    }
  } finally {
    canvas.node.removeEventListener('pointerdown', leave);
  }
}

/** Hears the keyboard on a view's root. */
export class KeyMap implements IDisposable, ILastUsed {
  constructor(options: KeyMap.IOptions) {
    this._options = options;
    for (const type of EVENTS) {
      options.node.addEventListener(type, this);
    }
    setLastUsed(this);
    // Before JupyterLab's own listener, which sits on the document.
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

  /** For the command of JupyterLab. */
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
        // The focus went elsewhere with a key held down: its release will not be heard.
        const next = (event as FocusEvent).relatedTarget;
        if (!(next instanceof Node && this._options.node.contains(next))) {
          this._options.canvas.panning = false;
          this._options.canvas.hideOverlays = false;
        }
      }
    }
  }

  /**
   * Single keys are the labeller's while it has the focus; JupyterLab's shortcuts with Ctrl or Command, such as that for
   * saving, go on working. Undo and redo do nothing here: whoever presses them means the last stroke, which cannot be taken
   * back yet, and the notebook must not undo an edit of a cell instead.
   */
  private readonly _onAnyDown = (event: KeyboardEvent): void => {
    const { node } = this._options;
    if (event.target instanceof Node && node.contains(event.target)) {
      const passes = (event.ctrlKey || event.metaKey) && !/^[zy]$/i.test(event.key);
      if (passes) {
        delete node.dataset['lmSuppressShortcuts'];
      } else {
        node.dataset['lmSuppressShortcuts'] = 'true';
      }
    }
  };

  private _onDown(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    // Where text is typed no key is the labeller's.
    if (target instanceof HTMLInputElement && target.type === 'text') {
      event.stopPropagation();
      return;
    }
    if (event.ctrlKey || event.metaKey) {
      return;
    }
    // A list is chosen from by first letters, until the pointer is over the image. H means the overlays even then: it is
    // held to look below the feature that was just chosen.
    if (target instanceof HTMLSelectElement && !/^h$/i.test(event.key) && !this._options.canvas.underPointer) {
      event.stopPropagation();
      return;
    }
    // A control that has the focus keeps the keys that it needs itself.
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

  /** Does what the key says; returns whether it says something. */
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
      case 'h':
      case 'H':
        canvas.hideOverlays = true;
        return true;
      case ' ':
        canvas.panning = true;
        return true;
      case '0':
        canvas.showAll();
        return true;
      case '+':
      case '=':
        canvas.zoom(1.5);
        return true;
      case '-':
        canvas.zoom(1 / 1.5);
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
