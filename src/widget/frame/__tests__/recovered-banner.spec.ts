/** @jest-environment jsdom */
import '../../__tests__/page';
import { Signal } from '@lumino/signaling';
import type { LabellerState } from '../../state/labeller-state';
import { RecoveredBanner } from '../recovered-banner';

function make() {
  const changed = new Signal<object, string>({});
  const state = { changed, session: null as object | null };
  const banner = new RecoveredBanner(state as unknown as LabellerState);
  const tell = (recovered: object | null) => {
    state.session = { recovered };
    changed.emit('session');
  };
  return { banner, tell };
}

const damage = (at: string, text: string) => ({ at, text, pixels: 12, copies: ['/data/labels-1.damaged'] });

describe('RecoveredBanner', () => {
  it('tells what damaged files have cost, until it is dismissed', () => {
    const { banner, tell } = make();
    expect(banner.isHidden).toBe(true);
    tell(null);
    expect(banner.isHidden).toBe(true);
    tell(damage('1', '12 labelled pixels were kept.'));
    expect(banner.isHidden).toBe(false);
    expect(banner.node.querySelector('[role="alert"]')!.textContent).toBe('12 labelled pixels were kept.');
    banner.node.querySelector('button')!.click();
    expect(banner.isHidden).toBe(true);
    tell(damage('1', '12 labelled pixels were kept.'));
    expect(banner.isHidden).toBe(true);
    tell(damage('2', '9 labelled pixels were kept.'));
    expect([banner.isHidden, banner.node.textContent]).toEqual([false, '9 labelled pixels were kept.']);
  });
});
