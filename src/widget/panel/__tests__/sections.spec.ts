/** @jest-environment jsdom */
import '../../__tests__/page';
import { FakeLink } from '../../base/__tests__/fake-link';
import { Signal } from '@lumino/signaling';
import { DEFAULT_SET, featureSpec, FOREST_PRESETS, SessionState } from '../../../shared';
import { Choice } from '../../state/choice';
import { FeaturesSection } from '../features-section';
import { InvalidFields } from '../fields';
import { ForestSection } from '../forest-section';
import type { LiveStatus } from '../../state/live-state';
import type { LabellerState } from '../../state/labeller-state';
import { FeaturePreview } from '../../state/preview';
import { PreviewSection } from '../preview-section';
import { TrainingState } from '../../state/training';
import { TrainingSection } from '../training-section';

const SAMBA = featureSpec({ set: 'samba' });

const classifier = {
  oobScore: 0.987,
  classes: [],
  features: ['original'],
  trees: 200,
  samples: 99,
  spec: SAMBA,
  labelsVersion: 1,
  seconds: 1
};

function make(channels: 1 | 3 = 1) {
  const changed = new Signal<object, string>({});
  const choice = new Choice({ link: new FakeLink() });
  choice.take({ features: SAMBA, forest: { preset: 'samba' } });
  const preview = new FeaturePreview({
    image: { rows: 10, columns: 10 },
    channels,
    link: new FakeLink()
  });
  preview.offer(choice.spec);
  const state = {
    direction: 'xy',
    changed,
    choice,
    parts: { preview },
    session: {
      imageReady: true,
      image: { shape: [1, 10, 10, channels], dtype: 'uint16', display: { low: 12, high: 1234.56 } },
      classes: [
        { id: 1, name: 'matrix', color: '#e69f00' },
        { id: 2, name: 'pore', color: '#56b4e9' }
      ],
      labels: { version: 1, counts: { 1: 5, 2: 5 } as Record<string, number> },
      segmentation: { classifier }
    },
    training: { state: { state: 'idle' } as TrainingState, dismiss: () => undefined },
    live: { on: false, left: false, state: { state: 'off' } as LiveStatus, dismiss: () => undefined },
    setLive: (on: boolean) => void (state.live.on = on),
    trained: 0,
    train: () => void state.trained++,
    cancelTraining: () => undefined,
    connection: { state: { state: 'connected' } }
  };
  choice.changed.connect(() => {
    preview.offer(choice.spec);
    changed.emit('features');
  });
  preview.changed.connect(() => changed.emit('features'));
  const labeller = state as unknown as LabellerState;
  const options = { state: labeller, invalid: new InvalidFields() };
  const widgets = [
    new FeaturesSection(options),
    new PreviewSection(options),
    new ForestSection(options),
    new TrainingSection(options)
  ];
  document.body.replaceChildren(...widgets.map(({ node }) => node));
  const get = <T extends HTMLElement>(testid: string) =>
    document.body.querySelector<T>(`[data-testid="sambalab-${testid}"]`)!;
  const type = (testid: string, text: string) => {
    get<HTMLInputElement>(testid).value = text;
    get(testid).dispatchEvent(new Event('input', { bubbles: true }));
  };
  const select = (testid: string, value: string) => {
    get<HTMLSelectElement>(testid).value = value;
    get(testid).dispatchEvent(new Event('change', { bubbles: true }));
  };
  /** The message below a field; null while it is hidden. */
  const problem = (testid: string) => {
    const node = document.getElementById(get(testid).getAttribute('aria-describedby')!)!;
    return node.hidden ? null : node.textContent;
  };
  const heading = (testid: string) => get(testid).querySelector('summary')!.textContent;
  const python = (values: Partial<SessionState['choice']>) => choice.take({ features: {}, forest: {}, ...values });
  return { choice, preview, get, type, select, problem, heading, python, state };
}

describe('FeaturesSection', () => {
  it('is closed at first, and its title counts the chosen channels', () => {
    const { get, heading } = make();
    expect(get<HTMLDetailsElement>('features').open).toBe(false);
    expect(heading('features')).toBe('Features· 58 channels');
    get('family-median').click();
    expect(heading('features')).toBe('Features· 63 channels');
    expect(heading('features')).not.toBe(make(3).heading('features'));
  });

  it('checks scales as they are typed, and keeps invalid input as well as the last valid choice', () => {
    const { choice, get, type, problem } = make();
    type('sigmas', '1, 2, x');
    expect(problem('sigmas')).toBe('Scales σ: “x”; a number will do.');
    expect(get('sigmas').getAttribute('aria-invalid')).toBe('true');
    expect(choice.spec.sigmas).toEqual([1, 2, 4, 8, 16]);
    get('family-median').click();
    expect(get<HTMLInputElement>('sigmas').value).toBe('1, 2, x');
    type('sigmas', '1, 2, 3');
    expect(problem('sigmas')).toBeNull();
    expect(choice.spec.sigmas).toEqual([1, 2, 3]);
    expect(choice.spec.families).toHaveProperty('median');
  });

  it('does not overwrite text that is being typed when the session answers', () => {
    const { get, type, python } = make();
    get('sigmas').focus();
    type('sigmas', '1,2,');
    python({ features: { sigmas: [1, 2] } });
    expect(get<HTMLInputElement>('sigmas').value).toBe('1,2,');
    get('sigmas').blur();
    expect(get<HTMLInputElement>('sigmas').value).toBe('1, 2');
  });

  it('discards invalid input when the value changes elsewhere or its family is switched off', () => {
    const { get, type, python, problem } = make();
    type('sigmas', '1, 2, x');
    type('membrane-patch', '18');
    python({ features: { families: { gaussian: {}, membrane: {} }, sigmas: [3] } });
    expect(problem('sigmas')).toBeNull();
    expect(get<HTMLInputElement>('sigmas').value).toBe('3');
    expect(problem('membrane-patch')).not.toBeNull();
    type('gaussian-sigmas', 'q');
    get('family-gaussian').click();
    expect(problem('gaussian-sigmas')).toBeNull();
    expect(get<HTMLInputElement>('gaussian-sigmas').value).toBe('');
  });

  it('marks a section with an invalid field, in its heading and in the training section', () => {
    const { get, type, heading, select } = make();
    type('forest-trees', '0');
    type('sigmas', 'x');
    type('sigma-scale', 'x');
    expect(heading('features')).toBe('Features· 58 channelsinvalid value');
    expect(heading('forest-parameters')).toBe('Parametersinvalid value');
    expect(get('training-wrong').textContent).toBe('Invalid values in Trees, Features are not used.');
    type('sigmas', '2');
    expect(heading('features')).toContain('invalid value');
    type('sigma-scale', '1');
    select('forest-preset', 'deep');
    expect(heading('features')).not.toContain('invalid value');
    expect(heading('forest')).toBe('Trees· Deep');
    expect(get('training-wrong').hidden).toBe(true);
  });

  it('shows the name of the chosen set, and “Own choice” if it is none', () => {
    const { choice, get, select, type } = make();
    select('feature-set', 'weka');
    expect(choice.spec).toEqual(featureSpec({ set: 'weka' }));
    expect(get<HTMLSelectElement>('feature-set').value).toBe('weka');
    type('sigma-scale', '1');
    expect(get<HTMLSelectElement>('feature-set').selectedOptions[0]!.textContent).toBe('Own choice');
    type('sigmas', 'wrong');
    get('features-reset').click();
    expect(choice.spec).toEqual(featureSpec());
    expect(get<HTMLSelectElement>('feature-set').value).toBe(DEFAULT_SET);
    expect(get<HTMLInputElement>('sigmas').value).toBe('1, 2, 4, 8, 16');
  });

  it('shows the parameters of a family at a button, and keeps them while the family is off', () => {
    const { choice, get, type, problem } = make();
    const parameters = () => get('membrane-patch').closest<HTMLElement>('.sambalab-parameters')!;
    expect(parameters().hidden).toBe(true);
    get('more-membrane').click();
    expect(get('more-membrane').getAttribute('aria-expanded')).toBe('true');
    expect(parameters().hidden).toBe(false);
    type('membrane-patch', '18');
    expect(problem('membrane-patch')).toContain('an odd number from 3 to 63');
    type('membrane-patch', '21');
    get('family-membrane').click();
    expect(choice.spec.families).not.toHaveProperty('membrane');
    get('family-membrane').click();
    expect(choice.spec.families['membrane']).toMatchObject({ patch: 21 });
  });

  it('gives a family its own scales, until the field is emptied', () => {
    const { choice, type } = make();
    type('gaussian-sigmas', '3');
    expect(choice.spec.families['gaussian']).toEqual({ sigmas: [3] });
    type('gaussian-sigmas', '');
    expect(choice.spec).toEqual(SAMBA);
  });

  it('offers luminance only for colour images', () => {
    expect(make().get('color').closest('label')!.hidden).toBe(true);
    const { choice, get, select, heading } = make(3);
    expect(get('color').closest('label')!.hidden).toBe(false);
    expect(heading('features')).toBe('Features· 174 channels');
    select('color', 'luminance');
    expect(choice.spec.color).toBe('luminance');
    expect(heading('features')).toBe('Features· 58 channels');
  });

  it('offers the embedding beside the families, and keeps its layers while it is off', () => {
    const { choice, get, type, problem, heading } = make();
    expect(get<HTMLInputElement>('family-embedding').checked).toBe(false);
    get('family-embedding').click();
    expect(choice.spec.embedding!.layers).toEqual([{ layer: 'output', components: 8 }]);
    expect(heading('features')).toBe('Features· 66 channels');
    type('embedding-stage3', '4');
    type('embedding-output', '6');
    type('embedding-window', '100');
    expect(problem('embedding-window')).toBe('Window: 100; a whole number from 128 to 1024 will do.');
    type('embedding-window', '512');
    expect(choice.spec.embedding).toMatchObject({
      window: 512,
      layers: [
        { layer: 'stage3', components: 4 },
        { layer: 'output', components: 6 }
      ]
    });
    const chosen = choice.spec;
    get('family-embedding').click();
    expect(choice.spec).toEqual(SAMBA);
    get('family-embedding').click();
    expect(choice.spec).toEqual(chosen);
  });

  it('says that the embedding is missing or failed, only while it is chosen', () => {
    const { get, state } = make();
    const embedding = (now: object) => {
      Object.assign(state.parts, { embedding: { state: now } });
      state.changed.emit('status');
    };
    embedding({ state: 'computing', fraction: null });
    expect(get('sam-note').hidden).toBe(true);
    get('family-embedding').click();
    expect(get('sam-note').textContent).toContain('is not ready yet');
    embedding({ state: 'failed', message: 'No memory.' });
    expect(get('sam-note').textContent).toContain('No memory.');
    expect(get('sam-note').dataset['kind']).toBe('error');
    embedding({ state: 'ready' });
    expect(get('sam-note').hidden).toBe(true);
  });

  it('says which values of the image are grey levels 0 to 255, for the families that use them', () => {
    const { get } = make();
    expect(get('greys').hidden).toBe(true);
    get('family-entropy').click();
    get('family-lipschitz').click();
    expect(get('greys').textContent).toBe('Grey levels 0–255 cover values from 12 to 1235 (Entropy, Lipschitz).');
    const other = make();
    other.python({ features: { set: 'samba', entropy: true, range: [1, 3] } });
    expect(other.get('greys').textContent).toBe('Grey levels 0–255 cover values from 1 to 3 (Entropy).');
    other.python({ features: { set: 'samba', entropy: true, standardise: true } });
    expect(other.get('greys').textContent).toContain('three standard deviations to each side');
  });

  it('shows what Python chose', () => {
    const { get, python, heading } = make();
    python({ features: { set: 'weka', kuwahara: { length: 9 } }, forest: { preset: 'deep', trees: 12 } });
    expect(get<HTMLInputElement>('family-kuwahara').checked).toBe(true);
    expect(get<HTMLInputElement>('kuwahara-length').value).toBe('9');
    expect(get<HTMLSelectElement>('forest-preset').value).toBe('deep');
    expect(get<HTMLInputElement>('forest-trees').value).toBe('12');
    expect(heading('forest')).toBe('Trees· Deep, changed');
  });
});

describe('ForestSection', () => {
  it('changes parameters of a preset, and takes words for special values', () => {
    const { choice, type, select, problem, get } = make();
    type('forest-maxSamples', 'all');
    type('forest-maxFeatures', 'sqrt');
    get('forest-balanced').click();
    expect(choice.forest).toEqual({ preset: 'samba', maxFeatures: 'sqrt', balanced: false, maxSamples: null });
    type('forest-trees', '2001');
    expect(problem('forest-trees')).toBe('Trees: 2001; a whole number from 1 to 2000 will do.');
    type('forest-maxSamples', 'some');
    expect(problem('forest-maxSamples')).toContain('“some”');
    expect(choice.forest.trees).toBeUndefined();
    select('forest-preset', 'deep');
    expect(choice.forest).toEqual({ preset: 'deep' });
    expect(get<HTMLInputElement>('forest-trees').value).toBe('100');
    expect(problem('forest-trees')).toBeNull();
  });

  it('keeps the changes to each preset until they are reset', () => {
    const { choice, type, select, get, heading } = make();
    type('forest-trees', '50');
    select('forest-preset', 'boosting');
    expect(choice.forest).toEqual({ preset: 'boosting' });
    type('boosting-rounds', '37');
    select('forest-preset', 'samba');
    expect(choice.forest).toEqual({ preset: 'samba', trees: 50 });
    expect(get<HTMLInputElement>('forest-trees').value).toBe('50');
    get('forest-reset').click();
    expect(choice.forest).toEqual({ preset: 'samba' });
    select('forest-preset', 'boosting');
    expect(heading('forest')).toBe('Trees· Boosting, changed');
    expect(get('training-what').textContent).toMatch(/Boosting, changed · (up to )?37 rounds/);
  });

  it('shows and checks the parameters of boosting while it is chosen', () => {
    const { choice, type, select, problem, get } = make();
    const shown = (testid: string) => get(testid).closest<HTMLElement>('.sambalab-fields')!.hidden === false;
    expect([shown('forest-trees'), shown('boosting-rounds')]).toEqual([true, false]);
    type('forest-trees', 'x');
    select('forest-preset', 'boosting');
    expect([shown('forest-trees'), shown('boosting-rounds')]).toEqual([false, true]);
    expect(get('training-wrong').hidden).toBe(true);
    expect(get<HTMLInputElement>('boosting-maxFeatures').value).toBe(String(FOREST_PRESETS.boosting.maxFeatures));
    type('boosting-learningRate', '0');
    expect(problem('boosting-learningRate')).toBe('Learning rate: 0; a number above 0, 1 at most, will do.');
    type('boosting-learningRate', '0.037');
    // A value other than the preset's.
    const patience = FOREST_PRESETS.boosting.patience === null ? 7 : null;
    type('boosting-patience', patience === null ? 'never' : '7');
    type('boosting-maxFeatures', 'sqrt');
    type('boosting-l2', '0');
    type('boosting-maxLeaves', '1.5');
    expect(problem('boosting-maxLeaves')).toContain('a whole number from 2 to 1024');
    expect(choice.forest).toEqual({
      preset: 'boosting',
      learningRate: 0.037,
      patience,
      maxFeatures: 'sqrt',
      l2: 0
    });
  });
});

describe('PreviewSection', () => {
  it('lists the channels by family, and shows the chosen one', () => {
    const { preview, get, select, heading } = make();
    const nodes = [...document.body.children];
    const list = get<HTMLSelectElement>('preview-channel');
    expect(list.options).toHaveLength(58);
    expect(make(3).get('preview-channel').querySelector('optgroup')!.label).toBe('Red');
    document.body.replaceChildren(...nodes);
    expect([...list.querySelectorAll('optgroup')].map(({ label }) => label)).toEqual([
      'Sobel',
      'Hessian',
      'Gaussian',
      'Difference of Gaussians',
      'Membrane projections'
    ]);
    select('preview-channel', String(preview.names.indexOf('membrane median')));
    expect(preview.shown).toBe(false);
    get('preview').click();
    expect(preview.shown).toBe(true);
    expect(heading('preview-section')).toBe('Preview· membrane median');
    expect(get('preview').getAttribute('aria-pressed')).toBe('true');
    get('family-membrane').click();
    expect(preview.shown).toBe(true);
    expect(get('preview-note').textContent).toContain('“membrane median” is not among the chosen features');
    expect(heading('preview-section')).toBe('Preview· membrane median is not among the chosen features');
    expect(list.selectedOptions[0]!.textContent).toBe('membrane median');
    get('family-membrane').click();
    expect(heading('preview-section')).toBe('Preview· membrane median');
    expect(list.value).toBe(String(preview.channel));
  });
});

describe('TrainingSection', () => {
  it('says what the next training uses, and what changed since the last one', () => {
    const { get, select, type } = make();
    expect(get('training-what').textContent).toBe('Trees: SAMBA · 200 trees · 58 channels');
    expect(get('training-note').textContent).toBe('Out-of-bag score 98.7 %');
    select('forest-preset', 'deep');
    type('sigmas', '1');
    expect(get('training-what').textContent).toBe('Trees: Deep · 100 trees · 20 channels');
    expect(get('training-note').textContent).toBe('Out-of-bag score 98.7 % · features changed since');
    type('forest-trees', '1');
    ['gaussian', 'sobel', 'hessian', 'differenceOfGaussians', 'membrane'].forEach(name =>
      get(`family-${name}`).click()
    );
    expect(get('training-what').textContent).toBe('Trees: Deep, changed · 1 tree · 1 channel');
  });

  it('says that labels or region changed since the training, and nothing of a correction or of a classifier from a file', () => {
    const { get, state } = make();
    const note = (session: object, info: object = {}, segmentation: object = {}) => {
      Object.assign(state.session, {
        segmentation: { classifier: { ...classifier, ...info }, ...segmentation },
        ...session
      });
      state.changed.emit('session');
      return get('training-note').textContent;
    };
    const counts = { 1: 5, 2: 5 };
    expect(note({ correction: { version: 7, counts }, labels: { version: 1, counts } })).toBe(
      'Out-of-bag score 98.7 %'
    );
    expect(note({ labels: { version: 8, counts } })).toBe('Out-of-bag score 98.7 % · labels changed since');
    const elsewhere = { learnedElsewhere: true };
    expect(note({ labels: { version: 1, counts } }, {}, elsewhere)).toBe(
      'Out-of-bag score 98.7 % · region changed since'
    );
    expect(note({}, { labelsVersion: 0 }, elsewhere)).toBe('Out-of-bag score 98.7 % · loaded from a file');
  });

  it('shows the score of held-out strokes if there is no out-of-bag score', () => {
    const { get, state } = make();
    const scores = { source: 'held-out', confusion: [[3, 1], [0, 4]] }; // prettier-ignore
    Object.assign(state.session, { segmentation: { classifier: { ...classifier, oobScore: null, scores } } });
    state.changed.emit('session');
    expect(get('training-note').textContent).toContain('Held-out score 87.5 %');
  });

  it('keeps the focus when a training starts, when it ends, and when its failure is dismissed', () => {
    const { get, state } = make();
    const training = (now: TrainingState) => {
      state.training.state = now;
      state.changed.emit('status');
    };
    get('train').focus();
    get('train').click();
    training({ state: 'running', stage: 'features', fraction: 0, message: '', own: true });
    expect(document.activeElement).toBe(get('train'));
    expect(get('train').getAttribute('aria-disabled')).toBe('true');
    get('train').click();
    expect(state.trained).toBe(1);
    get('cancel').focus();
    training({ state: 'failed', message: 'No labels.' });
    expect(document.activeElement).toBe(get('train'));
    get('training-dismiss').focus();
    training({ state: 'idle' });
    expect(document.activeElement).toBe(get('train'));
    get('train').click();
    expect(state.trained).toBe(2);
  });

  it('switches live segmentation on and off, and shows whether it is on', () => {
    const { get, state } = make();
    expect(get('live').getAttribute('aria-pressed')).toBe('false');
    get('live').click();
    state.changed.emit('status');
    expect(get('live').getAttribute('aria-pressed')).toBe('true');
    get('live').click();
    expect(state.live.on).toBe(false);
    state.connection.state.state = 'lost';
    state.changed.emit('status');
    get('live').click();
    expect(state.live.on).toBe(false);
  });

  it('says why live has not started, and does not report label changes that live is learning', () => {
    const { get, state } = make();
    state.session.labels = { version: 2, counts: { 1: 5 } };
    state.changed.emit('session');
    expect(get('training-note').textContent).toBe('Out-of-bag score 98.7 % · labels changed since');
    state.live.on = true;
    state.changed.emit('status');
    expect(get('training-note').textContent).toBe(
      'Live waits for labels of a second class; so far only “matrix” has any.'
    );
    state.session.labels.counts = {};
    state.changed.emit('session');
    expect(get('training-note').textContent).toBe('Live starts once two classes have labels.');
    state.session.labels.counts = { 1: 5, 2: 1 };
    state.changed.emit('session');
    expect(get('training-note').textContent).toBe('Out-of-bag score 98.7 %');
    state.live.left = true; // the last round was cancelled
    state.changed.emit('status');
    expect(get('training-note').textContent).toBe('Out-of-bag score 98.7 % · labels changed since');
  });

  it('shows the progress of a slow live round, and keeps Train enabled', () => {
    const { get, state } = make();
    const live = (now: LiveStatus) => {
      Object.assign(state.live, { on: true, state: now });
      state.changed.emit('status');
    };
    live({ state: 'ready' });
    expect([get('cancel').hidden, get('progress').hidden]).toEqual([true, true]);
    live({ state: 'working', stage: 'growing trees', fraction: 0.5, message: '' });
    expect([get('cancel').hidden, get('progress').getAttribute('aria-valuenow')]).toEqual([false, '50']);
    expect(get('train').getAttribute('aria-disabled')).toBe('false');
    state.connection.state.state = 'closed';
    state.changed.emit('status');
    expect([get('cancel').hidden, get('progress').hidden]).toEqual([true, true]);
    live({ state: 'failed', message: 'No memory.' });
    expect([get('training-note').textContent, get('training-dismiss').hidden]).toEqual(['No memory.', false]);
  });
});
