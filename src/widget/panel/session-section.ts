/** The session: labels that were set aside, and labels of other sessions, each with a button that brings them back. */
import { Backup, SessionSummary } from '../../shared';
import { timeOf } from '../base/dates';
import { button, element, setDisabled } from '../base/dom';
import { placeOf } from '../base/sessions';
import { trans } from '../base/translation';
import { FoldingSection } from './folding-section';
import { ISection, ISectionOptions } from './section';

/** Rows of a list; further ones are counted. */
const ROWS_MAX = 8;

export const sessionSection: ISection = { place: 'middle', create: options => new SessionSection(options) };

export class SessionSection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({ ...options, testid: 'sambalab-session', title: trans.__('Session'), follows: ['status', 'session'] });
    this.addClass('sambalab-session');
    this._fold.body.append(this._own, this._others);
    this._fold.node.addEventListener('toggle', () => this._fetch());
    this.refresh();
  }

  protected override refresh(): void {
    const { stored, connection } = this._state;
    const { backups, sessions, error } = stored;
    if (backups !== this._shownBackups || sessions !== this._shownSessions || error !== this._shownError) {
      [this._shownBackups, this._shownSessions, this._shownError] = [backups, sessions, error];
      this._own.replaceChildren(...this._backupRows(backups, error));
      this._others.replaceChildren(...this._sessionRows(sessions));
    }
    const connected = connection.state.state === 'connected';
    this._buttons.forEach(each => setDisabled(each, !connected));
  }

  private _fetch(): void {
    const { session, stored, connection } = this._state;
    if (this._fold.node.open && session && connection.state.state === 'connected') {
      void stored.fetch(session);
    }
  }

  private _backupRows(backups: readonly Backup[] | null, error: string | null): HTMLElement[] {
    this._buttons = [];
    if (error !== null) {
      return [element('div', { class: 'sambalab-session-note', role: 'status' }, error)];
    }
    if (backups === null) {
      return [];
    }
    const heading = element(
      'div',
      { class: 'sambalab-session-note' },
      backups.length > 0
        ? trans.__('Labels are saved as you draw. These were set aside:')
        : trans.__('Labels are saved as you draw. None were set aside.')
    );
    const rows = backups.slice(0, ROWS_MAX).map(backup => {
      const { labelled } = backup;
      const what = labelled === null ? trans.__('another size') : pixelsText(labelled);
      return this._row(
        timeOf(backup.at),
        backup.damaged ? trans.__('%1, from a damaged file', what) : what,
        labelled === null
          ? null
          : {
              testid: 'sambalab-restore',
              title: trans.__('Restore these labels; the present ones are set aside'),
              text: trans.__('Restore'),
              run: () => this._state.restoreBackup(backup.name)
            }
      );
    });
    return [heading, ...rows, ...furtherRows(backups.length)];
  }

  private _sessionRows(sessions: readonly SessionSummary[]): HTMLElement[] {
    if (sessions.length === 0) {
      return [];
    }
    const heading = element(
      'div',
      { class: 'sambalab-session-note' },
      trans.__('Other sessions with labels of this size:')
    );
    const rows = sessions.slice(0, ROWS_MAX).map(other =>
      this._row(placeOf(other), pixelsText(other.labelled), {
        testid: 'sambalab-copy',
        title: trans.__('Copy labels and classes of that session; the present labels are set aside'),
        text: trans.__('Copy'),
        run: () => this._state.copyLabels(other)
      })
    );
    return [heading, ...rows, ...furtherRows(sessions.length)];
  }

  private _row(name: string, detail: string, action: SessionSection.IAction | null): HTMLElement {
    const texts = element(
      'span',
      { class: 'sambalab-session-texts', title: `${name} · ${detail}` },
      element('span', {}, name),
      element('span', { class: 'sambalab-session-detail' }, detail)
    );
    if (action === null) {
      return element('div', { class: 'sambalab-session-row' }, texts);
    }
    const run = button({
      ...action,
      className: 'sambalab-outlined',
      run: () => void action.run().then(() => this._fetch())
    });
    this._buttons.push(run);
    return element('div', { class: 'sambalab-session-row' }, texts, run);
  }

  private readonly _own = element('div', { 'data-testid': 'sambalab-backups' });
  private readonly _others = element('div', { 'data-testid': 'sambalab-sessions' });
  private _buttons: HTMLButtonElement[] = [];
  private _shownBackups: readonly Backup[] | null | undefined;
  private _shownSessions: readonly SessionSummary[] | undefined;
  private _shownError: string | null = null;
}

/** The namespace for {@link SessionSection}. */
export namespace SessionSection {
  /** What the button of a row does. */
  export interface IAction {
    testid: string;
    title: string;
    text: string;
    run(): Promise<void>;
  }
}

function pixelsText(labelled: number): string {
  return trans.__('%1 pixels', labelled.toLocaleString());
}

function furtherRows(count: number): HTMLElement[] {
  return count > ROWS_MAX
    ? [element('div', { class: 'sambalab-session-note' }, trans.__('and %1 more, in Python', count - ROWS_MAX))]
    : [];
}
