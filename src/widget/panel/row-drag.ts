/** Rows of a list that are dragged to another place, by mouse or pen. A finger scrolls the list instead; the keyboard has keys of its own. */

/** How far the pointer must go before a press becomes a drag, in CSS pixels. */
const BEGIN = 5;

/** What the list does and says. */
export interface IRowDrag {
  list: HTMLElement;
  /** The rows in their order. */
  rows(): readonly HTMLElement[];
  /** The part of a row that can be taken. */
  handle(row: HTMLElement): Element;
  /** A row was dropped at another place. */
  move(from: number, to: number): void;
}

/** Let rows be dragged. */
export function dragRows({ list, rows, handle, move }: IRowDrag): void {
  list.addEventListener('pointerdown', press => {
    const from = rows().findIndex(row => handle(row).contains(press.target as Node));
    if (from < 0 || press.button !== 0 || press.pointerType === 'touch') {
      return;
    }
    const row = rows()[from]!;
    let to: number | null = null;
    const show = (place: number | null) => {
      to = place;
      row.classList.toggle('sambalab-dragged', place !== null);
      rows().forEach((other, index) => {
        other.classList.toggle('sambalab-drop-above', index === place && index < from);
        other.classList.toggle('sambalab-drop-below', index === place && index > from);
      });
    };
    const follow = (event: PointerEvent) => {
      if (to === null && Math.abs(event.clientY - press.clientY) < BEGIN) {
        return;
      }
      const middles = rows().map(other => {
        const { top, height } = handle(other).getBoundingClientRect(); // below it, a row may show more
        return top + height / 2;
      });
      const above = middles.filter((middle, index) => index !== from && event.clientY > middle).length;
      show(above);
      event.preventDefault();
    };
    const end = (event: Event) => {
      const place = event.type === 'pointerup' ? to : null;
      const dragged = to !== null;
      show(null);
      stop.abort();
      if (dragged) {
        // The click that follows the release would choose the class.
        const swallow = new AbortController();
        window.addEventListener('click', click => click.stopPropagation(), { capture: true, signal: swallow.signal });
        setTimeout(() => swallow.abort());
      }
      if (place !== null && place !== from) {
        move(from, place);
      }
    };
    const stop = new AbortController();
    const options = { capture: true, signal: stop.signal };
    window.addEventListener('pointermove', follow, options);
    window.addEventListener('pointerup', end, options);
    window.addEventListener('pointercancel', end, options);
    window.addEventListener(
      'keydown',
      event => {
        if (event.key === 'Escape') {
          event.preventDefault();
          event.stopPropagation();
          end(event);
        }
      },
      options
    );
  });
}
