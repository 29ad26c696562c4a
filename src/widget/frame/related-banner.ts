/**
 * The banner that tells of labels in another session, and offers to copy them. It stands below the image, which must not move when the
 * banner comes a moment after the image and goes with the first stroke.
 */
import { RelatedSession } from '../../shared';
import { button, element } from '../base/dom';
import { placeOf } from '../base/sessions';
import { trans } from '../base/translation';
import { StateWidget } from '../panel/state-widget';
import { LabellerState } from '../state/labeller-state';

export class RelatedBanner extends StateWidget {
  constructor(state: LabellerState) {
    super(state, ['session', 'status']);
    this.addClass('sambalab-banner');
    this.addClass('sambalab-banner-below');
    this.node.dataset['testid'] = 'sambalab-related';
    this.refresh();
  }

  protected override refresh(): void {
    const [first, ...more] = this._state.related.list;
    this.setHidden(!first);
    if (!first || first === this._shown) {
      return;
    }
    this._shown = first;
    const { related } = this._state;
    this.node.replaceChildren(
      element(
        'span',
        { role: 'status', title: [first, ...more].map(described).join('\n') },
        textOf(first, more.length)
      ),
      button({
        testid: 'sambalab-related-take',
        title: trans.__('Copy labels and classes of that session; it stays as it is'),
        text: trans.__('Copy them'),
        run: () => void this._state.copyLabels(first)
      }),
      button({
        testid: 'sambalab-related-close',
        title: trans.__('Dismiss'),
        icon: 'close',
        run: () => related.dismiss()
      })
    );
  }

  private _shown: RelatedSession | null = null;
}

function textOf(first: RelatedSession, more: number): string {
  const pixels = first.labelled.toLocaleString();
  const text =
    first.same === 'image'
      ? trans.__('%1 labelled pixels of this image are in another session: %2.', pixels, placeOf(first))
      : trans.__('%1 labelled pixels of an image of this size are in another session: %2.', pixels, placeOf(first));
  if (more === 0) {
    return text;
  }
  return `${text} ${more === 1 ? trans.__('One more session has some.') : trans.__('%1 more sessions have some.', more)}`;
}

/** One line for the tooltip. */
function described(session: RelatedSession): string {
  return `${placeOf(session)} · ${session.labelled.toLocaleString()} px · ${session.classes.join(', ')}`;
}
