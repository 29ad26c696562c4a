/** The banner that tells how the image was opened: the largest of several, turned upright, and the like. */
import { LabellerState } from '../state/labeller-state';
import { Banner, IBannerContent } from './banner';

export class NotesBanner extends Banner {
  constructor(state: LabellerState) {
    super(state, { name: 'notes' });
    this.refresh();
  }

  protected override content(): IBannerContent | null {
    const text = (this._state.session?.image.notes ?? []).join(' ');
    return text ? { text, about: text } : null;
  }
}
