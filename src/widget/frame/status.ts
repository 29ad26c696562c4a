/** The status line below the image. */
import { CanvasView } from '../canvas/canvas';
import { IHover } from '../canvas/pointer-events';
import { button, element, setText } from '../base/dom';
import { LabellerState } from '../state/labeller-state';
import { Suggestion } from '../state/suggestion';
import { isHidden, isWeak } from '../state/weak-suggestions';
import { StateWidget } from '../panel/state-widget';
import { pixelText } from './pixel-text';
import { routeLines, statusText } from './status-text';
import { trans } from '../base/translation';

/** Milliseconds for which the hint about the wheel is shown. */
const HINT_MS = 2500;

/** The status line: state, suggestion, unsent strokes, pixel under the pointer. */
export class StatusLine extends StateWidget {
  constructor(state: LabellerState, canvas: CanvasView) {
    super(state, ['session', 'status', 'choice', 'drawing', 'top', 'display']);
    this.addClass('sambalab-status');
    this._text = element('div', {
      class: 'sambalab-status-text',
      role: 'status',
      'aria-live': 'polite',
      'data-testid': 'sambalab-status'
    });
    this._undo = button({
      testid: 'sambalab-undo-large',
      title: trans.__('Undo the last step (Ctrl+Z)'),
      icon: 'undo',
      text: trans.__('Undo'),
      className: 'sambalab-undo-large',
      run: () => void state.move('undo')
    });
    this._undo.hidden = true;
    this._suggestion = element('span', { 'data-testid': 'sambalab-scale' });
    this._unsent = element('span', { class: 'sambalab-unsent', 'data-testid': 'sambalab-unsent' });
    this._where = element('span', {
      class: 'sambalab-where',
      title: trans.__('Slice, row and column are counted from 0, as in Python. The value is the image’s own.'),
      'data-testid': 'sambalab-where'
    });
    this.node.append(
      this._text,
      this._undo,
      element('div', { class: 'sambalab-status-right' }, this._suggestion, this._unsent, this._where)
    );
    // The times of the decoder change without a sign.
    this._text.addEventListener('pointerenter', () => (this._text.title = this._details()));
    canvas.hovered.connect(this._onHover, this);
    state.parts?.pixels.arrived.connect(this._showWhere, this);
    canvas.navigation.wheelIgnored.connect(this._onWheel, this);
    canvas.navigation.zoomed.connect(this._endHint, this);
    this.refresh();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    clearTimeout(this._timer);
    clearTimeout(this._hint);
    super.dispose();
  }

  protected override refresh(): void {
    if (this._hint === undefined) {
      const { text, kind } = statusText(this._state);
      setText(this._text, text);
      this._text.title = this._details();
      this._text.dataset['kind'] = kind;
      this._undo.hidden = this._state.large === null || text !== this._state.large;
    }
    this._showWhere();
    this._showUnsent();
    this._showSuggestion();
  }

  private _details(): string {
    const embedding = this._state.parts?.embedding.state;
    if (embedding?.state !== 'ready') {
      return this._text.textContent ?? '';
    }
    const { device, seconds } = embedding;
    const routes = this._state.parts?.embedding.routes;
    return [
      trans.__('%1: the embedding took %2 s', device.model, seconds.toFixed(2)),
      ...(device.note ? [device.note] : []),
      ...(routes ? routeLines(routes) : [])
    ].join('\n');
  }

  /** Show how many strokes are unsent. Most are acknowledged within milliseconds, so the text appears only after a while. */
  private _showUnsent(): void {
    const count = this._state.parts?.labels.queue.waiting.length ?? 0;
    if (count === 0) {
      clearTimeout(this._timer);
      this._timer = undefined;
      setText(this._unsent, '');
    } else {
      this._timer ??= setTimeout(() => {
        this._timer = undefined;
        const now = this._state.parts?.labels.queue.waiting.length ?? 0;
        setText(
          this._unsent,
          now === 0 ? '' : now === 1 ? trans.__('1 stroke unsent') : trans.__('%1 strokes unsent', now)
        );
      }, 400);
    }
  }

  private _showSuggestion(): void {
    const suggestion = this._state.parts?.suggestions.current;
    if (this._state.parts?.suggestions.accepting) {
      setText(this._suggestion, trans.__('Accepting the mask…'));
      return;
    }
    const { suggestions } = this._state.parts ?? {};
    const { values } = this._state.settings;
    if (!suggestion || isHidden(suggestion, suggestions?.held !== null, values)) {
      setText(this._suggestion, suggestion ? trans.__('Suggestion: hidden, SAM is not sure') : '');
      return;
    }
    const name = this._scaleName(suggestion);
    setText(
      this._suggestion,
      isWeak(suggestion, values) ? trans.__('Suggestion: %1, not sure', name) : trans.__('Suggestion: %1', name)
    );
  }

  private _scaleName({ scale }: Suggestion): string {
    const name = [trans.__('small'), trans.__('medium'), trans.__('large')][scale];
    if (name === undefined) {
      return trans.__('by your prompts');
    }
    const isAuto =
      this._state.suggestionOptions.values.scale === 'auto' && this._state.parts?.suggestions.turned === null;
    return isAuto ? trans.__('%1 (Auto)', name) : name;
  }

  private _onHover(_: CanvasView, at: IHover | null): void {
    this._at = at;
    this._showWhere();
  }

  private _showWhere(): void {
    setText(this._where, this._at ? pixelText(this._state, this._at) : '');
  }

  private _onWheel(): void {
    clearTimeout(this._hint);
    setText(this._text, trans.__('Click the image, or hold Ctrl, to zoom with the wheel.'));
    this._text.dataset['kind'] = 'plain';
    this._hint = setTimeout(() => this._endHint(), HINT_MS);
  }

  private _endHint(): void {
    if (this._hint !== undefined) {
      clearTimeout(this._hint);
      this._hint = undefined;
      this.refresh();
    }
  }

  private readonly _text: HTMLElement;
  private readonly _undo: HTMLButtonElement;
  private readonly _suggestion: HTMLElement;
  private readonly _unsent: HTMLElement;
  private readonly _where: HTMLElement;
  /** The pixel under the pointer; null outside the image. */
  private _at: IHover | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _hint: ReturnType<typeof setTimeout> | undefined;
}
