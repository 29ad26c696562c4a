/** @jest-environment jsdom */
import '../../__tests__/page';
import { Signal } from '@lumino/signaling';
import type { ClassifierFormatInfo } from '../../../shared';
import type { LabellerState } from '../../state/labeller-state';
import { ClassifierSection } from '../classifier-section';
import { InvalidFields } from '../fields';

const format = (name: string, extension: string, writes: boolean, reads: boolean): ClassifierFormatInfo => ({
  name,
  title: name.toUpperCase(),
  description: `${name} files`,
  extension,
  mediaType: 'application/octet-stream',
  writes,
  reads
});

function make() {
  const changed = new Signal<object, string>({});
  const saved: string[] = [];
  const state = {
    changed,
    session: { imageReady: true, segmentation: {} },
    connection: { state: { state: 'connected' } },
    files: {
      busy: false,
      state: { state: 'idle' },
      formats: [] as ClassifierFormatInfo[],
      asked: 0,
      fetchFormats: async () => void state.files.asked++
    },
    saveClassifier: async (name: string) => (saved.push(name), null)
  };
  const widget = new ClassifierSection({ state: state as unknown as LabellerState, invalid: new InvalidFields() });
  document.body.replaceChildren(widget.node);
  const get = <T extends HTMLElement>(testid: string) =>
    document.body.querySelector<T>(`[data-testid="sambalab-${testid}"]`);
  return { state, saved, get };
}

describe('ClassifierSection', () => {
  it('asks for the formats when it is opened', () => {
    const { state, get } = make();
    expect(state.files.asked).toBe(0);
    const fold = get<HTMLDetailsElement>('classifier')!;
    fold.open = true;
    fold.dispatchEvent(new Event('toggle'));
    expect(state.files.asked).toBe(1);
  });

  it('offers the formats that the sidecar writes, and the extensions of those that it reads', () => {
    const { state, saved, get } = make();
    state.files.formats = [
      format('one', '.1', true, true),
      format('two', '.2', true, false),
      format('three', '.3', false, true)
    ];
    state.changed.emit('status');
    expect(get('save-one')!.textContent).toBe('ONE');
    expect(get('save-two')!.title).toBe('two files');
    expect(get('save-three')).toBeNull();
    expect(get<HTMLInputElement>('load-file')!.accept).toBe('.1,.3');
    get('save')!.click();
    get('save-two')!.click();
    expect(saved).toEqual(['two']);
  });
});
