/** @jest-environment jsdom */
import '../../__tests__/page';
import { Signal } from '@lumino/signaling';
import { FakeLink } from '../../base/__tests__/fake-link';
import { IReply } from '../../../kernel-bridge';
import { ImageInfo } from '../../../shared';
import { ImageDisplay } from '../../state/image-display';
import type { LabellerState } from '../../state/labeller-state';
import { ContrastSection } from '../contrast-section';
import { InvalidFields } from '../fields';

beforeEach(() => localStorage.clear());

async function make(image: Partial<ImageInfo> = {}) {
  const result = {
    low: 0,
    high: 255,
    counts: [Array.from({ length: 256 }, (_, i) => i)],
    cuts: [
      { percent: 0, low: 3, high: 250 },
      { percent: 1, low: 10, high: 200 }
    ]
  };
  const display = new ImageDisplay({
    image: { shape: [1, 9, 9, 1], dtype: 'uint8', digest: 'a'.repeat(64), display: { low: 0, high: 255 }, ...image },
    link: new FakeLink(async () => ({ result, buffers: [] }) as unknown as IReply<'image.histogram'>)
  });
  const changed = new Signal<object, string>({});
  display.changed.connect(() => changed.emit('display'));
  const state = { changed, parts: { display }, session: { imageReady: true } } as unknown as LabellerState;
  const section = new ContrastSection({ state, invalid: new InvalidFields() });
  document.body.replaceChildren(section.node);
  const get = <T extends HTMLElement>(testid: string) =>
    document.body.querySelector<T>(`[data-testid="sambalab-${testid}"]`)!;
  const input = (testid: string, value: string, type = 'input') => {
    get<HTMLInputElement>(testid).value = value;
    get(testid).dispatchEvent(new Event(type, { bubbles: true }));
  };
  get<HTMLDetailsElement>('contrast-section').open = true;
  get('contrast-section').dispatchEvent(new Event('toggle'));
  await new Promise(resolve => setTimeout(resolve));
  return { display, get, input };
}

describe('ContrastSection', () => {
  it('sets the range by its handles, which do not pass each other', async () => {
    const { display, get, input } = await make();
    expect(get('histogram').querySelectorAll('path')).toHaveLength(2);
    input('contrast-low', '40');
    input('contrast-high', '140');
    input('contrast-low', '41');
    expect([display.values.low, display.values.high]).toEqual([41, 140]);
    expect(get<HTMLSelectElement>('contrast-cut').selectedOptions[0]!.text).toBe('By hand');
    input('contrast-low', '200');
    expect([display.values.low, get<HTMLInputElement>('contrast-low').value]).toEqual([139, '139']);
    display.dispose();
  });

  it('sets the range by numbers, and says what is wrong with one', async () => {
    const { display, get, input } = await make();
    input('contrast-high-value', '1,5');
    expect(display.values.high).toBe(1.5);
    input('contrast-low-value', '7');
    expect(display.values.low).toBe(0);
    expect(document.body.textContent).toContain('7 is not below 1.5, which is shown as white.');
    get('contrast-reset').click();
    expect([display.plain, get<HTMLInputElement>('contrast-low-value').value]).toEqual([true, '0']);
    display.dispose();
  });

  it('sets the range by percentiles, and back', async () => {
    const { display, get, input } = await make();
    input('contrast-cut', '1', 'change');
    expect([display.values.low, display.values.high]).toEqual([10, 200]);
    get('contrast-auto').click();
    expect([display.auto, get<HTMLSelectElement>('contrast-cut').value]).toEqual([true, 'auto']);
    display.dispose();
  });

  it('keeps the last channel', async () => {
    const { display, get } = await make({ shape: [1, 9, 9, 3] });
    [0, 1, 2].forEach(channel => get(`channel-${channel}`).click());
    expect(display.values.channels).toEqual([false, false, true]);
    expect(get<HTMLInputElement>('channel-2').checked).toBe(true);
    display.dispose();
  });
});
