/** The banner that tells what damaged files have cost: what was kept, what is lost, where the damaged file is. */
import { LabellerState } from '../state/labeller-state';
import { Banner, IBannerContent } from './banner';

export class RecoveredBanner extends Banner {
  constructor(state: LabellerState) {
    super(state, { name: 'recovered', below: true, warning: true });
    this.refresh();
  }

  protected override content(): IBannerContent | null {
    const recovered = this._state.session?.recovered;
    return recovered ? { text: recovered.text, about: recovered.at } : null;
  }
}
