/** The banner that tells of labels in another session, and offers to copy them. */
import { RelatedSession } from '../../shared';
import { button } from '../base/dom';
import { placeOf } from '../base/sessions';
import { trans } from '../base/translation';
import { LabellerState } from '../state/labeller-state';
import { Banner, IBannerContent } from './banner';

export class RelatedBanner extends Banner {
  constructor(state: LabellerState) {
    // Below: it comes a moment after the image and goes with the first stroke.
    super(state, { name: 'related', follows: ['session', 'status'], below: true });
    this.refresh();
  }

  protected override content(): IBannerContent | null {
    const { related } = this._state.stored;
    const [first, ...more] = related;
    if (!first) {
      return null;
    }
    return {
      text: textOf(first, more.length),
      title: related.map(described).join('\n'),
      about: first.session,
      actions: () => [
        button({
          testid: 'sambalab-related-take',
          title: trans.__('Copy labels and classes of that session; it stays as it is'),
          text: trans.__('Copy them'),
          run: () => void this._state.copyLabels(first)
        })
      ]
    };
  }
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
