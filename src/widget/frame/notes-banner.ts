/** The banner that tells how the image was opened: the largest of several, turned upright, and the like. */
import { button, element } from '../base/dom';
import { trans } from '../base/translation';
import { StateWidget } from '../panel/state-widget';
import { LabellerState } from '../state/labeller-state';

export class NotesBanner extends StateWidget {
  constructor(state: LabellerState) {
    super(state, ['session']);
    this.addClass('sambalab-banner');
    this.node.dataset['testid'] = 'sambalab-notes';
    this.refresh();
  }

  protected override refresh(): void {
    const notes = this._state.session?.image.notes ?? [];
    const text = notes.join(' ');
    this.setHidden(text === '' || text === this._dismissed);
    if (text === this._shown) {
      return;
    }
    this._shown = text;
    this.node.replaceChildren(
      element('span', { role: 'status' }, text),
      button({
        testid: 'sambalab-notes-close',
        title: trans.__('Dismiss'),
        icon: 'close',
        run: () => {
          this._dismissed = text;
          this.refresh();
        }
      })
    );
  }

  private _shown = '';
  private _dismissed = '';
}
