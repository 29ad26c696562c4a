/** The last steps, with what made each. A click on one undoes all after it, or makes all up to it again. */
import { HistoryStep } from '../../shared';
import { button, element, setDisabled } from '../base/dom';
import { stepText } from '../base/steps';
import { trans } from '../base/translation';
import { FoldingSection } from './folding-section';
import { ISection, ISectionOptions } from './section';

/** Steps that are listed; older ones can still be undone. */
const ROWS_MAX = 30;

export const historySection: ISection = { place: 'middle', create: options => new HistorySection(options) };

export class HistorySection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({ ...options, testid: 'sambalab-history', title: trans.__('History'), follows: ['status', 'session'] });
    this.addClass('sambalab-history');
    this._fold.body.append(this._list);
    this._fold.node.addEventListener('toggle', () => this._fetch());
    this.refresh();
  }

  protected override refresh(): void {
    const { history, session, connection } = this._state;
    if (session && session.history !== this._known) {
      this._known = session.history;
      this._fetch();
    }
    if (history.steps !== this._shown || history.position !== this._position || history.error !== this._error) {
      [this._shown, this._position, this._error] = [history.steps, history.position, history.error];
      this._list.replaceChildren(...this._rows());
    }
    const connected = connection.state.state === 'connected';
    this._buttons.forEach(each => setDisabled(each, !connected));
  }

  private _fetch(): void {
    if (this._fold.node.open && this._state.connection.state.state === 'connected') {
      void this._state.history.fetch();
    }
  }

  private _rows(): HTMLElement[] {
    this._buttons = [];
    const { steps, position, error } = this._state.history;
    if (error !== null || steps.length === 0) {
      const text = error ?? trans.__('Nothing was changed yet.');
      return [element('li', { class: 'sambalab-history-note' }, text)];
    }
    const first = Math.max(0, Math.min(position, steps.length - ROWS_MAX / 2) - ROWS_MAX / 2);
    const rows = steps.slice(first, first + ROWS_MAX).map((step, i) => this._row(step, first + i + 1, position));
    const older =
      first > 0 ? [element('li', { class: 'sambalab-history-note' }, trans.__('%1 older steps', first))] : [];
    return [...older, ...rows];
  }

  /** @param to the number of steps that are done after a click */
  private _row(step: HistoryStep, to: number, position: number): HTMLElement {
    const time = new Date(step.at).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
    const done = to <= position;
    const node = button({
      testid: 'sambalab-history-step',
      title: done
        ? trans.__('Undo everything after this step (%1)', time)
        : trans.__('Make everything up to this step again (%1)', time),
      text: stepText(step),
      className: 'sambalab-history-step',
      run: () => void this._state.moveTo(to)
    });
    node.append(element('span', { class: 'sambalab-history-detail' }, this._detail(step)));
    if (to === position) {
      node.setAttribute('aria-current', 'step');
    }
    this._buttons.push(node);
    return element('li', { class: done ? '' : 'sambalab-history-undone' }, node);
  }

  private _detail({ class: classId, pixels }: HistoryStep): string {
    const name = classId && this._state.session?.classes.find(({ id }) => id === classId)?.name;
    const count = pixels > 0 ? trans.__('%1 px', pixels.toLocaleString()) : '';
    return [name, count].filter(Boolean).join(' · ');
  }

  private readonly _list = element('ol', { class: 'sambalab-history-list', 'data-testid': 'sambalab-history-list' });
  private _buttons: HTMLButtonElement[] = [];
  private _known: object | undefined;
  private _shown: readonly HistoryStep[] | undefined;
  private _position = -1;
  private _error: string | null = null;
}
