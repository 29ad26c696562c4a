/** @jest-environment jsdom */
import '../../__tests__/page';
import { Signal } from '@lumino/signaling';
import type { LabellerState } from '../../state/labeller-state';
import { InvalidFields } from '../fields';
import { ScoresSection } from '../scores-section';
import { areaText, percent } from '../scores-tables';

const CLASSES = [
  { id: 1, name: 'matrix', color: '#ff0000' },
  { id: 4, name: 'particle', color: '#00ff00' }
];

function make() {
  const changed = new Signal<object, string>({});
  const owners = new Set<object>();
  const phases = {
    owners,
    phases: [] as object[],
    isOutdated: true,
    want: (owner: object, wanted: boolean) => void owners[wanted ? 'add' : 'delete'](owner)
  };
  const state = {
    changed,
    parts: { phases },
    session: {
      image: { shape: [1, 10, 10, 1], pixelSize: null as { value: number; unit: string } | null },
      classes: CLASSES,
      labels: { counts: {} as Record<string, number> },
      segmentation: null as object | null
    }
  };
  const widget = new ScoresSection({ state: state as unknown as LabellerState, invalid: new InvalidFields() });
  document.body.replaceChildren(widget.node);
  const get = (testid: string) => document.body.querySelector<HTMLElement>(`[data-testid="sambalab-${testid}"]`)!;
  const open = () => {
    get('scores').setAttribute('open', '');
    get('scores').dispatchEvent(new Event('toggle'));
  };
  const tell = (segmentation: object | null) => {
    state.session.segmentation = segmentation;
    changed.emit('session');
  };
  const rows = (testid: string) =>
    [...get(testid).querySelectorAll('tbody tr')].map(line => [...line.children].map(cell => cell.textContent));
  return { state, get, open, tell, rows };
}

function segmentation(confusion: number[][], more: object = {}, counts: object | undefined = undefined) {
  return {
    classifier: {
      oobScore: 0.5,
      classes: CLASSES,
      features: ['original', 'gaussian σ=1'],
      samples: 20,
      labelsVersion: 3,
      scores: { source: 'out-of-bag', confusion },
      importance: [0.25, 0.75],
      note: '',
      ...more
    },
    counts
  };
}

describe('ScoresSection', () => {
  it('says what to do while there is no classifier', () => {
    const { state, get, open, tell } = make();
    open();
    expect(get('scores-empty').textContent).toContain('Label pixels of two classes');
    state.session.labels.counts = { '1': 5, '2': 0, '4': 9 };
    tell(null);
    expect(get('scores-empty').textContent).toContain('Train, or switch Live on');
    expect([get('scores-classes').hidden, get('scores-overall').hidden]).toEqual([true, true]);
  });

  it('shows the score in its heading, and below it the scores of each class and the confusion matrix', () => {
    const { get, open, tell, rows } = make();
    tell(
      segmentation([
        [9, 1],
        [2, 8]
      ])
    );
    expect(get('scores').querySelector('summary')!.textContent).toBe('Scores· 85.0 %');
    open();
    expect(get('scores-empty').hidden).toBe(true);
    expect(get('scores-overall').textContent).toBe('85.0 % of out-of-bag labels are right · mean IoU 73.9 %');
    expect(rows('scores-classes')).toEqual([
      ['matrix', '90.0', '81.8', '75.0'],
      ['particle', '80.0', '88.9', '72.7']
    ]);
    expect(rows('confusion')).toEqual([
      ['matrix', '90', '10'],
      ['particle', '20', '80']
    ]);
    const cell = get('confusion').querySelectorAll<HTMLElement>('tbody td')[1]!;
    expect(cell.title).toBe('matrix is taken for particle: 10.0 %');
    expect(get('important').textContent).toBe('gaussian σ=175.0 %original25.0 %');
  });

  it('touches only nodes whose content changes, and adds rows only for new classes', () => {
    const { get, open, tell, rows } = make();
    open();
    tell(segmentation([[9, 1], [2, 8]])); // prettier-ignore
    const cells = [...get('scores-classes').querySelectorAll('td'), ...get('confusion').querySelectorAll('td')];
    let changes = 0;
    const watcher = new MutationObserver(() => changes++);
    watcher.observe(document.body, {
      subtree: true,
      childList: true,
      characterData: true,
      attributeFilter: ['style', 'title', 'class']
    });
    tell(segmentation([[9, 1], [2, 8]])); // prettier-ignore
    changes += watcher.takeRecords().length;
    expect(changes).toBe(0);
    tell(segmentation([[10, 0], [2, 8]], { note: 'Without what SAM sees.' })); // prettier-ignore
    expect(rows('scores-classes')[0]).toEqual(['matrix', '100', '83.3', '83.3']);
    expect(get('scores-note').textContent).toBe('Without what SAM sees.');
    expect([...get('scores-classes').querySelectorAll('td'), ...get('confusion').querySelectorAll('td')]).toEqual(
      cells
    );
    expect(cells.every(cell => cell.isConnected)).toBe(true);
    const more = [...CLASSES, { id: 9, name: 'pore', color: '#0000ff' }];
    tell(segmentation([[9, 1, 0], [0, 8, 2], [0, 0, 0]], { classes: more })); // prettier-ignore
    expect(rows('scores-classes')[2]).toEqual(['pore', '–', '0.0', '0.0']);
    expect(rows('confusion')[2]).toEqual(['pore', '–', '–', '–']);
    expect([...get('confused-classes').children].map(item => item.textContent)).toEqual([
      'particle taken for pore20.0 %',
      'matrix taken for particle10.0 %'
    ]);
  });

  it('shows no numbers in the matrix of many classes, and lists the worst confusions', () => {
    const { state, get, open, tell } = make();
    open();
    const classes = Array.from({ length: 20 }, (_, i) => ({ id: i + 1, name: `class ${i}`, color: '#123456' }));
    state.session.classes = classes;
    const confusion = classes.map((_, i) => classes.map((__, j) => (i === j ? 90 : j === (i + 1) % 20 ? 10 + i : 0)));
    tell(segmentation(confusion, { classes }));
    expect(get('confusion').classList.contains('sambalab-many')).toBe(true);
    expect(get('confusion').querySelectorAll('tbody td')).toHaveLength(400);
    expect(get('confused-classes').children).toHaveLength(5);
    expect(get('confused-classes').firstElementChild!.textContent).toContain('class 19 taken for class 0');
  });

  it('shows phase fractions, and areas if the pixel size is known', () => {
    const { state, get, open, tell, rows } = make();
    open();
    tell(segmentation([[1, 0], [0, 1]], {}, { '1': 75, '4': 25 })); // prettier-ignore
    expect(rows('phases').map(row => row.slice(0, 2))).toEqual([
      ['matrix', '75.0'],
      ['particle', '25.0']
    ]);
    tell(segmentation([[1, 0], [0, 1]], {}, { '1': 75, '4': 20, '9': 5 })); // prettier-ignore
    expect(rows('phases').map(([, share]) => share)).toEqual(['75.0', '20.0']); // class 9 was removed after the training
    const area = () => get('phases').querySelector<HTMLElement>('tbody td:last-child')!;
    expect(area().hidden).toBe(true);
    state.session.image.pixelSize = { value: 0.5, unit: 'nm' };
    tell(segmentation([[1, 0], [0, 1]], {}, { '1': 75, '4': 25 })); // prettier-ignore
    expect([area().hidden, area().textContent]).toEqual([false, '18.75']);
    expect(get('phases').querySelector('thead')!.textContent).toContain('nm²');
  });

  it('shows the intervals of phase fractions with their causes, and says where an image shows few regions', () => {
    const { state, get, open, tell, rows } = make();
    const { phases } = state.parts;
    tell(segmentation([[1, 0], [0, 1]], {}, { '1': 70, '4': 30 })); // prettier-ignore
    expect(phases.owners.size).toBe(0);
    open();
    expect([phases.owners.size, rows('phases')[0]![2], get('phases').dataset['outdated']]).toEqual([1, '', 'true']);
    const found = { id: 4, fraction: 0.3, low: 0.1234, high: 0.5, field: 0.08, classification: 0.012, regions: 33.4 };
    phases.phases = [{ ...found, id: 1, classification: null, regions: 4 }, found];
    phases.isOutdated = false;
    state.changed.emit('status');
    expect(rows('phases').map(row => row[2])).toEqual(['12.3–50.0', '12.3–50.0']);
    expect(get('phases').dataset['outdated']).toBe('false');
    const titles = [...get('phases').querySelectorAll<HTMLElement>('tbody tr')].map(line => line.title);
    expect(titles[1]).toContain('± 8.0 %');
    expect(titles[1]).toContain('about 33 independent areas');
    expect(titles[1]).toContain('Classification: ± 1.2 %');
    expect(titles[0]).toContain('Without the error of the classification');
    expect(get('phases-note').textContent).toContain('few regions of “matrix”:');
    phases.phases = [{ ...found, low: null, high: null, field: null, regions: null }];
    state.changed.emit('status');
    expect(rows('phases').map(row => row[2])).toEqual(['–', '–']);
    expect([get('phases-note').hidden, get('phases').querySelectorAll('tbody tr').length]).toEqual([true, 2]);
  });

  it('says why a classifier has no score', () => {
    const { get, open, tell } = make();
    open();
    tell(segmentation([], { scores: null, oobScore: null, importance: null, labelsVersion: 0 }));
    expect(get('scores-overall').textContent).toContain('came from a file');
    expect(get('scores-classes').hidden).toBe(true);
    tell(segmentation([], { scores: null, oobScore: null, forest: { kind: 'boosting' } }));
    expect(get('scores-overall').textContent).toContain('a few strokes of each class');
    tell(segmentation([], { scores: null, oobScore: 0.81 }));
    expect(get('scores-overall').textContent).toBe('81.0 % of out-of-bag labels are right');
    tell(segmentation([[3, 1], [0, 4]], { scores: { source: 'held-out', confusion: [[3, 1], [0, 4]] } })); // prettier-ignore
    expect(get('scores-overall').textContent).toContain('87.5 % of held-out labels are right');
  });
});

describe('numbers of the scores', () => {
  it('are 100 only if every pixel is right', () => {
    expect([percent(1), percent(0.99999), percent(0.5), percent(0), percent(null)]).toEqual([
      '100',
      '99.9',
      '50.0',
      '0.0',
      '–'
    ]);
  });

  it('show areas with four digits, or as powers of ten', () => {
    expect([areaText(0), areaText(18.754), areaText(3.2e9), areaText(4e-7)]).toEqual([
      '0',
      '18.75',
      '3.20e+9',
      '4.00e-7'
    ]);
  });
});
