/**
 * The banner that tells what damaged files have cost: what was kept, what is lost, where the damaged file is. It stands below the image,
 * which must not move if the sidecar was restarted while the user paints.
 */
import { button, element } from '../base/dom';
import { trans } from '../base/translation';
import { StateWidget } from '../panel/state-widget';
import { LabellerState } from '../state/labeller-state';

export class RecoveredBanner extends StateWidget {
  constructor(state: LabellerState) {
    super(state, ['session']);
    this.addClass('sambalab-banner');
    this.addClass('sambalab-banner-below');
    this.addClass('sambalab-banner-warning');
    this.node.dataset['testid'] = 'sambalab-recovered';
    this.refresh();
  }

  protected override refresh(): void {
    const recovered = this._state.session?.recovered;
    this.setHidden(!recovered || recovered.at === this._dismissed);
    if (!recovered || recovered.text === this._shown) {
      return;
    }
    this._shown = recovered.text;
    this.node.replaceChildren(
      element('span', { role: 'alert' }, recovered.text),
      button({
        testid: 'sambalab-recovered-close',
        title: trans.__('Dismiss'),
        icon: 'close',
        run: () => {
          this._dismissed = recovered.at;
          this.refresh();
        }
      })
    );
  }

  private _shown = '';
  /** When the damage was found of which the user has dismissed the banner. */
  private _dismissed = '';
}
