/** Watches for pens on the whole page: the hand lies on the image while its pen is at the toolbar. */
import { IDisposable, DisposableDelegate } from '@lumino/disposable';

/** Where a pen is: on the screen, over it, or neither. */
export type PenPlace = 'down' | 'near' | 'away';

/** Tell where pens are and when, in milliseconds as `performance.now()` counts, until disposed. */
export function watchPens(seen: (where: PenPlace, time: number) => void): IDisposable {
  const onPen = (event: PointerEvent) => {
    if (event.pointerType === 'pen') {
      const where = placeOf(event);
      if (where) {
        seen(where, event.timeStamp);
      }
    }
  };
  for (const type of EVENTS) {
    document.addEventListener(type, onPen, true);
  }
  return new DisposableDelegate(() => EVENTS.forEach(type => document.removeEventListener(type, onPen, true)));
}

function placeOf({ type, buttons, relatedTarget }: PointerEvent): PenPlace | null {
  switch (type) {
    case 'pointerdown':
      return 'down';
    case 'pointermove':
      return buttons === 0 ? 'near' : 'down';
    case 'pointerout':
      return relatedTarget === null ? 'away' : null; // it left the page, or went out of reach
    default:
      return 'away';
  }
}

const EVENTS = ['pointerdown', 'pointermove', 'pointerup', 'pointercancel', 'pointerout'] as const;
