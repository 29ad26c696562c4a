/**
 * Decides what pointers do. The mouse, a pen or one finger works with the tool. A second finger takes back what the first one
 * began, and both pan and zoom. Near a pen, fingers do nothing: they are the hand that holds it. Knows no page: the canvas
 * passes pointers on and carries out the decisions.
 */
import { IPoint } from '../base/geometry';
import { PenPlace } from './pen-watch';

/** Mouse, pen or touch, as in `PointerEvent.pointerType`. */
export type PointerKind = 'mouse' | 'pen' | 'touch';

/** One place of one pointer. */
export interface IPointer {
  id: number;
  kind: PointerKind;
  /** In screen coordinates. */
  at: IPoint;
  altKey: boolean;
  shiftKey: boolean;
  /** Ctrl, or Command on a Mac. */
  accelKey: boolean;
  /** In milliseconds, as `performance.now()` counts. */
  time: number;
}

/** What a pointer that goes down is meant for. `erase` is a pen's eraser end. */
export type Purpose = 'draw' | 'erase' | 'pan';

/** Carries the decisions out. A press ends with one call of `release` or `abort`. */
export interface IGestureTarget {
  press(pointer: IPointer, purpose: 'draw' | 'erase'): void;
  release(pointer: IPointer): void;
  /** The press does not count: take back what it did. */
  abort(): void;
  pan(from: IPoint, to: IPoint): void;
  pinch(from: readonly [IPoint, IPoint], to: readonly [IPoint, IPoint]): void;
  /** What the pointers do changed: the cursor may have to change. */
  changed(): void;
}

/** Touches are ignored this long after a pen was lifted or went away, in milliseconds: the hand leaves later than its pen. */
export const PALM_MS = 700;

/** A pen that is near and does not move sends no events. After this time it may be gone unnoticed, in milliseconds. */
export const PEN_NEAR_MS = 5000;

type Action = { does: 'draw' | 'pan'; first: IPointer } | { does: 'pinch'; first: IPointer; second: IPointer };

/** What the pointers over one canvas do. */
export class Gestures {
  constructor(private readonly _target: IGestureTarget) {}

  /** What the pointers do; null if none is down that counts. */
  get does(): 'draw' | 'pan' | 'pinch' | null {
    return this._action?.does ?? null;
  }

  /** Whether this pointer works with the tool. */
  draws(id: number): boolean {
    return this._action?.does === 'draw' && this._action.first.id === id;
  }

  /** Whether the pointer counts. A touch near a pen does not. */
  counts({ kind, time }: Pick<IPointer, 'kind' | 'time'>): boolean {
    return kind !== 'touch' || time >= this._palmUntil;
  }

  /** A pointer went down on the canvas. Returns whether it counts. */
  down(pointer: IPointer, purpose: Purpose): boolean {
    if (!this.counts(pointer)) {
      return false;
    }
    const action = this._action;
    if (!action) {
      this._begin(pointer, purpose);
      return true;
    }
    if (action.does === 'pinch' || action.first.kind !== 'touch' || pointer.kind !== 'touch') {
      return false; // a third finger, or a second device
    }
    if (action.does === 'draw') {
      this._target.abort();
    }
    this._set({ does: 'pinch', first: action.first, second: pointer });
    return true;
  }

  /** A pointer moved. Returns whether it pans or zooms. */
  move(pointer: IPointer): boolean {
    const action = this._action;
    if (action?.does === 'pinch') {
      const { first, second } = action;
      if (pointer.id === first.id) {
        this._target.pinch([first.at, second.at], [pointer.at, second.at]);
        action.first = pointer;
        return true;
      }
      if (pointer.id === second.id) {
        this._target.pinch([first.at, second.at], [first.at, pointer.at]);
        action.second = pointer;
        return true;
      }
    } else if (action?.first.id === pointer.id) {
      const from = action.first.at;
      action.first = pointer;
      if (action.does === 'pan') {
        this._target.pan(from, pointer.at);
        return true;
      }
    }
    return false;
  }

  /** A pointer was lifted. */
  up(pointer: IPointer): void {
    const action = this._action;
    if (action?.does === 'pinch') {
      const { first, second } = action;
      // The finger that stays moves the image, and draws nothing until it is lifted too.
      if (pointer.id === first.id || pointer.id === second.id) {
        this._set({ does: 'pan', first: pointer.id === first.id ? second : first });
      }
    } else if (action?.first.id === pointer.id) {
      this._set(null);
      if (action.does === 'draw') {
        this._target.release(pointer);
      }
    }
  }

  /**
   * The system took a pointer away. A touch does not count then: systems take palms away, and fingers that swipe from the
   * screen's edge. What a mouse or pen has drawn stays.
   */
  cancel(pointer: IPointer): void {
    if (pointer.kind === 'touch' && this.draws(pointer.id)) {
      this._set(null);
      this._target.abort();
    } else {
      this.up(pointer);
    }
  }

  /** End what is under way; what is drawn stays. */
  end(): void {
    const action = this._action;
    this._set(null);
    if (action?.does === 'draw') {
      this._target.release(action.first);
    }
  }

  /** A pen was seen, anywhere on the page. Fingers are ignored while it is there, and for a short time after. */
  pen(where: PenPlace, time: number): void {
    this._palmUntil = where === 'down' ? Infinity : time + (where === 'near' ? PEN_NEAR_MS : PALM_MS);
    if (where !== 'away' && this._action?.first.kind === 'touch') {
      // The hand came down before its pen.
      const { does } = this._action;
      this._set(null);
      if (does === 'draw') {
        this._target.abort();
      }
    }
  }

  private _begin(pointer: IPointer, purpose: Purpose): void {
    this._set({ does: purpose === 'pan' ? 'pan' : 'draw', first: pointer });
    if (purpose !== 'pan') {
      this._target.press(pointer, purpose);
    }
  }

  private _set(action: Action | null): void {
    this._action = action;
    this._target.changed();
  }

  private _action: Action | null = null;
  private _palmUntil = -Infinity;
}
