/** The line between two segmentations: the one before the last training on its left, the present one on its right. */
import { element } from '../base/dom';
import { trans } from '../base/translation';
import { LabellerState } from '../state/labeller-state';

/** Part of the view's width by which an arrow key moves the line. */
const STEP = 0.02;

/** The line of one view. It moves with the pointer and the arrow keys. */
export class Divider {
  constructor(private readonly _state: LabellerState) {
    this.node.append(
      element('span', { class: 'sambalab-divider-before', 'aria-hidden': 'true' }, trans.__('before')),
      element('span', { class: 'sambalab-divider-after', 'aria-hidden': 'true' }, trans.__('now'))
    );
    for (const type of ['pointerdown', 'pointermove', 'pointerup', 'pointercancel', 'dblclick', 'keydown'] as const) {
      this.node.addEventListener(type, event => this._onEvent(event));
    }
    this.refresh();
  }

  readonly node = element('div', {
    class: 'sambalab-divider',
    role: 'slider',
    tabindex: '0',
    title: trans.__('Left: the segmentation before the last training, as far as it was shown. Drag to compare.'),
    'aria-label': trans.__('Line between the segmentation before the last training and the present one'),
    'aria-valuemin': '0',
    'aria-valuemax': '100',
    'data-testid': 'sambalab-divider'
  });

  /** Show it where it is now. */
  refresh(): void {
    const line = this._state.parts?.comparison.line ?? null;
    this.node.hidden = line === null;
    if (line !== null) {
      const percent = Math.round(line * 100);
      this.node.style.left = `${line * 100}%`;
      this.node.setAttribute('aria-valuenow', String(percent));
      this.node.setAttribute('aria-valuetext', trans.__('%1 % before', percent));
    }
  }

  private _onEvent(event: PointerEvent | KeyboardEvent | MouseEvent): void {
    const comparison = this._state.parts?.comparison;
    if (!comparison) {
      return;
    }
    if (event instanceof KeyboardEvent) {
      const direction = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
      if (direction !== 0) {
        event.preventDefault();
        event.stopPropagation();
        comparison.line = (comparison.line ?? 0.5) + direction * STEP;
      }
      return;
    }
    // The tool below must not draw.
    event.stopPropagation();
    if (event.type === 'pointerdown') {
      event.preventDefault();
      this._pressed = true;
      this.node.setPointerCapture?.((event as PointerEvent).pointerId);
      this.node.focus({ preventScroll: true });
    } else if (event.type === 'pointermove' && this._pressed) {
      const box = this.node.parentElement!.getBoundingClientRect();
      comparison.line = (event.clientX - box.left) / box.width;
    } else {
      this._pressed = false;
    }
  }

  private _pressed = false;
}
