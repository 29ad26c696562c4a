/** @jest-environment jsdom */
import '../../__tests__/page';
import { Signal } from '@lumino/signaling';
import { FakeLink } from '../../base/__tests__/fake-link';
import { setInsertCell } from '../../base/new-cell';
import { DEFAULT_SETTINGS } from '../../base/settings';
import { UPLOAD_BYTES_MAX } from '../../../shared';
import { FileDrop } from '../../frame/file-drop';
import { besideNotebook, FileChoices, LabelFiles } from '../../state/label-files';
import type { LabellerState } from '../../state/labeller-state';
import { InvalidFields } from '../fields';
import { FilesSection } from '../files-section';

const ARRAYS = ['labels', 'segmentation', 'probabilities', 'overlay', 'provenance', 'corrected'];
const CHOICES: FileChoices = {
  folder: '/home/me/notebooks',
  stem: 'gold',
  arrays: ARRAYS,
  formats: [
    {
      ending: '.ome.tif',
      title: 'OME-TIFF',
      description: 'With names',
      stacks: true,
      arrays: ARRAYS,
      spreads: ['labels']
    },
    { ending: '.png', title: 'PNG', description: 'One slice', stacks: false, arrays: ['labels'], spreads: ['labels'] },
    { ending: '.new', title: 'New', description: 'Only results', stacks: true, arrays: ['segmentation'], spreads: [] }
  ],
  files: ['old.npy', 'older.tif']
};

type Asked = [method: string, params: Record<string, unknown>];

function make({ slices = 1, trained = false } = {}) {
  const asked: Asked[] = [];
  const replies: Record<string, unknown> = {
    'kernel.files': CHOICES,
    'kernel.save': { path: '/home/me/notebooks/x', saved: true },
    'kernel.upload': {},
    'kernel.open': { kind: 'labels', path: 'old.npy', fits: true, spread: false, problem: '' },
    'kernel.cell': { source: 'lab2', path: '/x' }
  };
  const order: string[] = [];
  const link = new FakeLink((method, params) => {
    asked.push([method, params]);
    order.push(method);
    const reply = replies[method];
    return reply instanceof Error ? Promise.reject(reply) : Promise.resolve({ result: reply, buffers: [] });
  });
  const files = new LabelFiles({
    link,
    drained: () => Promise.resolve(void order.push('drained')),
    notebook: () => 'work/day 1/a.ipynb'
  });
  const changed = new Signal<object, string>({});
  files.changed.connect(() => changed.emit('status'));
  const state = {
    direction: 'xy',
    changed,
    labelFiles: files,
    slice: slices > 1 ? 2 : 0,
    settings: { values: DEFAULT_SETTINGS },
    session: { imageReady: true, image: { shape: [slices, 10, 10, 1] }, segmentation: trained ? {} : null },
    connection: { state: { state: 'connected' } }
  };
  const section = new FilesSection({ state: state as unknown as LabellerState, invalid: new InvalidFields() });
  document.body.replaceChildren(section.node);
  const get = <T extends HTMLElement>(testid: string) =>
    document.body.querySelector<T>(`[data-testid="sambalab-${testid}"]`)!;
  const set = (testid: string, value: string) => {
    const node = get<HTMLInputElement>(testid);
    node.value = value;
    node.dispatchEvent(new Event(node.tagName === 'SELECT' ? 'change' : 'input', { bubbles: true }));
  };
  const last = (method: string) => asked.filter(([name]) => name === method).at(-1)?.[1];
  const shown = (testid: string) => !get(testid).closest('[hidden]');
  return { files, get, set, last, shown, replies, order, asked, section };
}

const settled = () => new Promise(resolve => setTimeout(resolve));

describe('FilesSection', () => {
  it('offers what the kernel lists, and saves it under a name beside the notebook, after all strokes', async () => {
    const { files, get, last, order } = make({ trained: true });
    files.ask('save');
    await settled();
    const texts = (testid: string) => [...get<HTMLSelectElement>(testid).options].map(({ text }) => text);
    expect(texts('export-format')).toEqual(['OME-TIFF (.ome.tif)', 'PNG (.png)', 'New (.new)']);
    expect(texts('export-what')).toContain('Picture: labels over image');
    expect(get<HTMLInputElement>('export-name').value).toBe('gold-segmentation.ome.tif');
    get('export-save').click();
    await settled();
    expect(order.slice(-3, -1)).toEqual(['drained', 'kernel.save']);
    expect(last('kernel.save')).toMatchObject({
      path: 'gold-segmentation.ome.tif',
      what: 'segmentation',
      replace: false
    });
    expect(get('label-files-note').textContent).toBe('Saved to /home/me/notebooks/x');
  });

  it('offers without a training what there is, and only formats that can hold it', async () => {
    const { files, get, set } = make();
    files.ask('save');
    await settled();
    const disabled = (testid: string) =>
      [...get<HTMLSelectElement>(testid).options].filter(each => each.disabled).map(({ value }) => value);
    expect(disabled('export-what')).toEqual(['segmentation', 'probabilities', 'overlay:segmentation', 'corrected']);
    expect(disabled('export-format')).toEqual(['.new']);
    set('export-format', '.png');
    set('export-what', 'overlay:labels');
    expect(get<HTMLSelectElement>('export-format').value).toBe('.ome.tif');
    expect(get<HTMLInputElement>('export-name').value).toBe('gold-overlay.ome.tif');
  });

  it('keeps a typed name but for its ending, and takes the format of its ending', async () => {
    const { files, get, set } = make();
    files.ask('save');
    await settled();
    set('export-name', 'mine.PNG');
    expect(get<HTMLSelectElement>('export-format').value).toBe('.png');
    set('export-format', '.ome.tif');
    expect(get<HTMLInputElement>('export-name').value).toBe('mine.ome.tif');
    set('export-what', 'provenance');
    expect(get<HTMLInputElement>('export-name').value).toBe('mine.ome.tif');
  });

  it('saves one slice of a stack where the format holds no more, and spreads ids where it can', async () => {
    const { files, get, set, last, shown } = make({ slices: 5 });
    files.ask('save');
    await settled();
    expect(get<HTMLInputElement>('export-slice').checked).toBe(false);
    get('export-spread').click();
    set('export-format', '.png');
    expect(get<HTMLInputElement>('export-slice').checked).toBe(true);
    expect(get('export-slice').parentElement!.textContent).toBe('Only slice 2');
    get('export-save').click();
    await settled();
    expect(last('kernel.save')).toMatchObject({ slice: 2, spread: true });
    set('export-what', 'provenance');
    expect(shown('export-spread')).toBe(false);
    const single = make();
    single.files.ask('save');
    await settled();
    expect(single.shown('export-slice')).toBe(false);
  });

  it('asks before it replaces a file, and says what failed', async () => {
    const { files, get, last, shown, replies } = make();
    files.ask('save');
    await settled();
    replies['kernel.save'] = { path: '/home/me/notebooks/x', saved: false };
    get('export-save').click();
    await settled();
    expect(get('label-files-note').textContent).toMatch(/x already. Replace it/);
    replies['kernel.save'] = new Error('no room');
    get('export-replace').click();
    await settled();
    expect(last('kernel.save')).toMatchObject({ replace: true });
    expect(get('label-files-note').textContent).toBe('no room');
    expect(get('label-files-note').dataset['kind']).toBe('error');
    expect(shown('export-replace')).toBe(false);
  });

  it('opens a file by its name, lists those beside the notebook, and says what may be wrong with the labels', async () => {
    const { files, get, set, last, order, replies } = make();
    files.ask('open');
    await settled();
    expect(document.activeElement).toBe(get('open-path'));
    const list = document.getElementById(get('open-path').getAttribute('list')!)!;
    expect([...list.children].map(each => each.getAttribute('value'))).toEqual(CHOICES.files);
    set('open-path', ' old.npy ');
    get('open-path').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
    await settled();
    expect(order.slice(-2)).toEqual(['drained', 'kernel.open']);
    expect(last('kernel.open')).toMatchObject({ path: 'old.npy', sure: true });
    expect(get('label-files-note').textContent).toBe('The labels are those of “old.npy” now.');
    replies['kernel.open'] = { ...(replies['kernel.open'] as object), problem: 'Its pixels are larger.' };
    get('open-path').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
    await settled();
    expect(get('label-files-note').textContent).toBe('The labels are those of “old.npy” now. Its pixels are larger.');
  });

  it('offers a cell for a dropped image, and shows its code where there is no notebook', async () => {
    const { files, get, last, shown, replies, section } = make();
    replies['kernel.open'] = { kind: 'image', path: 'p.png', fits: true, spread: false, problem: '' };
    await files.drop('work/p.png');
    expect(last('kernel.open')).toMatchObject({ path: '../p.png', sure: false });
    expect([shown('open-image'), shown('open-as-labels')]).toEqual([true, true]);
    const inserted: [HTMLElement, string][] = [];
    setInsertCell((node, source) => inserted.push([node, source]) > 0);
    get('open-image').click();
    await settled();
    expect(inserted).toEqual([[section.node, 'lab2']]);
    expect(last('kernel.cell')).toMatchObject({ path: '../p.png' });
    await files.drop('work/p.png');
    setInsertCell(() => false);
    get('open-image').click();
    await settled();
    expect(document.querySelector('pre')!.textContent).toBe('lab2');
    replies['kernel.open'] = { kind: 'image', path: 'p.png', fits: false, spread: false, problem: 'too small' };
    await files.drop('work/p.png');
    expect(get('label-files-note').textContent).toBe('“p.png” is an image: too small');
    expect(shown('open-as-labels')).toBe(false);
  });
});

describe('FileDrop', () => {
  const fire = (node: HTMLElement, type: string, more: object) =>
    node.dispatchEvent(Object.assign(new Event(type, { bubbles: true, cancelable: true }), more));

  it('opens a file of the computer in parts, and refuses one that is too large', async () => {
    const { files, asked, get } = make();
    const node = document.body.appendChild(document.createElement('div'));
    const drop = new FileDrop(node, files);
    const content = Uint8Array.from({ length: 2_000_000 }, (_, i) => i);
    const file = {
      name: 'a.npy',
      size: content.length,
      slice: (start: number, end: number) => ({ arrayBuffer: () => Promise.resolve(content.slice(start, end).buffer) })
    };
    const dataTransfer = { types: ['Files'], files: [file], dropEffect: '' };
    expect(fire(node, 'dragover', { dataTransfer })).toBe(false);
    expect(node.querySelector('.sambalab-file-drop')).not.toBeNull();
    fire(node, 'drop', { dataTransfer });
    expect(node.querySelector('.sambalab-file-drop')).toBeNull();
    await settled();
    expect(asked.filter(([name]) => name === 'kernel.upload').map(([, { offset }]) => offset)).toEqual([
      0, 900_000, 1_800_000
    ]);
    const uploads = asked.map(([, { upload }]) => upload).filter(Boolean);
    expect([uploads.length, new Set(uploads).size]).toEqual([4, 1]);
    fire(node, 'drop', { dataTransfer: { types: ['Files'], files: [{ ...file, size: UPLOAD_BYTES_MAX + 1 }] } });
    await settled();
    expect(get('label-files-note').textContent).toMatch(/“a.npy” has 65 MB, and a page sends files of up to 64 MB/);
    // Anything else that is dragged is left alone.
    expect(fire(node, 'dragover', { dataTransfer: { types: ['text/plain'], files: [] } })).toBe(true);
    drop.dispose();
    expect(fire(node, 'dragover', { dataTransfer })).toBe(true);
  });
});

describe('besideNotebook', () => {
  it('makes a path of the file browser one that starts at the notebook’s folder', () => {
    expect(besideNotebook('a.png', 'nb.ipynb')).toBe('a.png');
    expect(besideNotebook('x/y/a.png', 'x/nb.ipynb')).toBe('y/a.png');
    expect(besideNotebook('x/a.png', 'x/y/z/nb.ipynb')).toBe('../../a.png');
    expect(besideNotebook('RTC:x/a.png', 'RTC:x/nb.ipynb')).toBe('a.png');
    expect(besideNotebook('x/a.png', null)).toBe('x/a.png');
  });
});
