/** The banner that tells that labels of an earlier session are loaded, and offers to start without them. */
import { SessionState } from '../../shared';
import { dayOf } from '../base/dates';
import { button, element } from '../base/dom';
import { trans } from '../base/translation';
import { LabellerState } from '../state/labeller-state';
import { Banner, IBannerContent } from './banner';

export class ResumedBanner extends Banner {
  constructor(state: LabellerState) {
    super(state, { name: 'resumed' });
    this.refresh();
  }

  protected override content(): IBannerContent | null {
    const { session } = this._state;
    this._first ??= session;
    // What was loaded when the labeller opened. A restarted sidecar says nothing of it, and a banner that came or went then would
    // move the image under the brush.
    const resumed = this._first?.resumed;
    const startedFresh = !session?.resumed && !Object.values(session?.labels.counts ?? {}).some(count => count > 0);
    if (!resumed || startedFresh) {
      return null;
    }
    const { pixels, changed } = resumed;
    return {
      text: trans.__('%1 labelled pixels from %2 were loaded.', pixels.toLocaleString(), dayOf(changed)),
      about: 'resumed',
      actions: () => [this._fresh()]
    };
  }

  /** The button that sets the labels aside. It asks first. */
  private _fresh(): HTMLElement {
    const fresh = button({
      testid: 'sambalab-fresh',
      title: trans.__('Set these labels aside and start without labels'),
      text: trans.__('Start fresh'),
      run: () => {
        fresh.replaceWith(sure);
        sure.querySelector('button')?.focus();
      }
    });
    const sure = element(
      'span',
      { class: 'sambalab-confirm' },
      trans.__('Set them aside?'),
      button({
        testid: 'sambalab-fresh-confirm',
        title: trans.__('The labels stay in the session’s folder'),
        text: trans.__('Set aside'),
        run: () => {
          this.dismiss();
          void this._state.fresh();
        }
      }),
      button({
        testid: 'sambalab-fresh-keep',
        title: trans.__('Continue with these labels'),
        text: trans.__('Keep'),
        run: () => sure.replaceWith(fresh)
      })
    );
    return fresh;
  }

  private _first: SessionState | null = null;
}
