/** Reads the browser's pointer events: which device it is, and what a button is for. */
import { PointerKind, Purpose } from './gestures';

/** The pixel under the pointer, for the status line. */
export interface IHover {
  row: number;
  column: number;
}

/** A pen's eraser end in `PointerEvent.button` and `buttons`. */
const ERASER_BUTTON = 5;
const ERASER_BUTTONS = 32;

/** The kind of a pointer. An unknown device counts as a mouse. */
export function kindOf({ pointerType }: PointerEvent): PointerKind {
  return pointerType === 'pen' || pointerType === 'touch' ? pointerType : 'mouse';
}

/**
 * What a button is for: `other` is the secondary one. Null for buttons that do nothing here.
 *
 * @param panning whether the main button moves the image
 */
export function purposeOf({ button, buttons }: PointerEvent, panning: boolean): Purpose | 'other' | null {
  if (button === 2) {
    return 'other';
  }
  if (button === 1 || (panning && button === 0)) {
    return 'pan';
  }
  if (button === ERASER_BUTTON || buttons & ERASER_BUTTONS) {
    return 'erase';
  }
  return button === 0 ? 'draw' : null;
}
