/** The base of the banners: a line above or below the image with a text, buttons of its own, and one that dismisses it. */
import { button, element } from '../base/dom';
import { trans } from '../base/translation';
import { StateWidget } from '../panel/state-widget';
import { Change } from '../state/change';
import { LabellerState } from '../state/labeller-state';

/** What a banner says. */
export interface IBannerContent {
  text: string;
  /** The text's tooltip. */
  title?: string;
  /** A dismissed banner stays hidden while this is the same. */
  about: string;
  /** Makes the buttons. Called when text or `about` changes. */
  actions?(): HTMLElement[];
}

/** Shows {@link content} until the user dismisses it. A subclass calls `refresh` at the end of its constructor. */
export abstract class Banner extends StateWidget {
  constructor(
    state: LabellerState,
    private readonly _options: Banner.IOptions
  ) {
    super(state, _options.follows ?? ['session']);
    const { name, below, warning } = _options;
    this.addClass('sambalab-banner');
    this.toggleClass('sambalab-banner-below', below ?? false);
    this.toggleClass('sambalab-banner-warning', warning ?? false);
    this.node.dataset['testid'] = `sambalab-${name}`;
  }

  /** What there is to tell now; null for nothing. */
  protected abstract content(): IBannerContent | null;

  protected override refresh(): void {
    const content = this.content();
    this.setHidden(content === null || content.about === this._dismissed);
    if (!content || (content.text === this._shown?.text && content.about === this._shown.about)) {
      return;
    }
    this._shown = content;
    const { name, warning } = this._options;
    this.node.replaceChildren(
      element('span', { role: warning ? 'alert' : 'status', title: content.title }, content.text),
      ...(content.actions?.() ?? []),
      button({
        testid: `sambalab-${name}-close`,
        title: trans.__('Dismiss'),
        icon: 'close',
        run: () => this.dismiss()
      })
    );
  }

  protected dismiss(): void {
    this._dismissed = this._shown?.about ?? null;
    this.refresh();
  }

  private _shown: IBannerContent | null = null;
  /** What the dismissed banner was about. */
  private _dismissed: string | null = null;
}

/** The namespace for {@link Banner}. */
export namespace Banner {
  export interface IOptions {
    /** Its name in test ids. */
    name: string;
    /** Changes that it follows; those of the session, if left out. */
    follows?: readonly Change[];
    /** Whether it stands below the image: one that comes or goes while the user paints must not move the image. */
    below?: boolean;
    /** Whether it warns. */
    warning?: boolean;
  }
}
