/** @jest-environment jsdom */
import '../../__tests__/page';
import { Signal } from '@lumino/signaling';
import type { LabellerState } from '../../state/labeller-state';
import { ResumedBanner } from '../resumed-banner';

const resumed = (pixels: number) => ({
  resumed: { pixels, changed: '2026-11-27T03:11:33.000Z' },
  labels: { counts: { 1: pixels } }
});
const notResumed = (pixels: number) => ({ resumed: null, labels: { counts: { 1: pixels } } });

function make(session: object) {
  const changed = new Signal<object, string>({});
  const fresh = jest.fn(() => Promise.resolve());
  const state = { changed, session, fresh };
  const banner = new ResumedBanner(state as unknown as LabellerState);
  const tell = (next: object) => {
    state.session = next;
    changed.emit('session');
  };
  const click = (testid: string) => banner.node.querySelector<HTMLElement>(`[data-testid="${testid}"]`)!.click();
  return { banner, tell, click, fresh };
}

describe('ResumedBanner', () => {
  it('asks before it sets the labels aside', () => {
    const { banner, click, fresh } = make(resumed(12));
    click('sambalab-fresh');
    expect(banner.node.textContent).toContain('Set them aside?');
    click('sambalab-fresh-keep');
    expect(banner.node.textContent).toContain('Start fresh');
    click('sambalab-fresh');
    expect(fresh).not.toHaveBeenCalled();
    click('sambalab-fresh-confirm');
    expect([fresh.mock.calls.length, banner.isHidden]).toEqual([1, true]);
  });

  it('stays hidden after it was dismissed, whatever a restarted sidecar loads', () => {
    const { banner, tell, click } = make(resumed(12));
    click('sambalab-resumed-close');
    tell(resumed(99));
    expect(banner.isHidden).toBe(true);
  });

  it('stays when a restarted sidecar says nothing of it, and goes when labels were set aside from Python', () => {
    const { banner, tell } = make(resumed(12));
    tell(notResumed(12));
    expect(banner.isHidden).toBe(false);
    tell(notResumed(0));
    expect(banner.isHidden).toBe(true);
  });

  it('does not appear when a restarted sidecar loads the labels that the user draws', () => {
    const { banner, tell } = make(notResumed(0));
    tell(resumed(12));
    expect(banner.isHidden).toBe(true);
  });
});
