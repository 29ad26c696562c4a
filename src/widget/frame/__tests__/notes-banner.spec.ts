/** @jest-environment jsdom */
import '../../__tests__/page';
import { Signal } from '@lumino/signaling';
import { Change } from '../../state/change';
import { LabellerState } from '../../state/labeller-state';
import { NotesBanner } from '../notes-banner';

function make(notes?: string[]) {
  const state = { session: { image: { notes } } } as { session: { image: { notes?: string[] | undefined } } };
  const changed = new Signal<unknown, Change>(state);
  const banner = new NotesBanner({ ...state, changed } as unknown as LabellerState);
  const show = (others?: string[]) => {
    state.session.image.notes = others;
    changed.emit('session');
  };
  return { banner, show, close: () => banner.node.querySelector('button')!.click() };
}

describe('NotesBanner', () => {
  it('shows how the image was opened until it is dismissed', () => {
    const { banner, show, close } = make(['The largest is shown.', 'It is upright.']);
    expect(banner.isHidden).toBe(false);
    expect(banner.node.textContent).toContain('The largest is shown. It is upright.');
    close();
    expect(banner.isHidden).toBe(true);
    show(['The largest is shown.', 'It is upright.']);
    expect(banner.isHidden).toBe(true);
    show(['Another image.']);
    expect(banner.isHidden).toBe(false);
  });

  it('is hidden without notes', () => {
    const { banner, show } = make();
    expect(banner.isHidden).toBe(true);
    show([]);
    expect(banner.isHidden).toBe(true);
  });
});
