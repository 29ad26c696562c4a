import { DEFAULT_PRESET, DEFAULT_SET, featureNames, featureSpec, FOREST_PRESETS, withImage } from '../../../shared';
import {
  channelCounts,
  channelGroups,
  familyOf,
  forestChoice,
  namedSet,
  parseNumbers,
  problemWith,
  sameFeatures,
  sameLearner,
  treesText,
  withEmbedding,
  withFamily,
  withForest,
  withLayer,
  withParameter,
  withSet,
  withWindow
} from '../feature-choice';

const SAMBA = featureSpec({ set: 'samba' });
const SAM = featureSpec({ set: 'sam' });

function problem(action: () => unknown): string {
  try {
    action();
  } catch (reason) {
    return problemWith('Title', reason);
  }
  return '';
}

describe('a choice of features', () => {
  it('knows the family of each channel, and that the image itself has none', () => {
    const spec = featureSpec({ set: 'samba', entropy: true });
    const names = featureNames(spec, 3);
    const family = (name: string) => familyOf(spec, 3, names.indexOf(name))?.name;
    expect(family('blue: entropy r=4 bins=64')).toBe('entropy');
    expect(family('green: gaussian σ=4')).toBe('gaussian');
    expect([family('red: original'), family('blue: original'), familyOf(spec, 3, -1)]).toEqual([
      undefined,
      undefined,
      undefined
    ]);
    const seen = featureNames(SAM, 3);
    expect([familyOf(SAM, 3, seen.indexOf('SAM 1')), seen.indexOf('SAM 1')]).toEqual([undefined, 174]);
  });

  it('is recognised as a named set with any colour, until a family differs', () => {
    expect(namedSet(featureSpec())).toBe(DEFAULT_SET);
    expect(namedSet(SAMBA)).toBe('samba');
    expect(namedSet(featureSpec({ set: 'weka', color: 'luminance', range: [3, 9] }))).toBe('weka');
    expect(namedSet(featureSpec({ set: 'weka', sigmas: [1] }))).toBeNull();
    const back = withSet(featureSpec({ set: 'weka', sigmas: [1], color: 'luminance' }), 'samba');
    expect([namedSet(back), back.color]).toEqual(['samba', 'luminance']);
  });

  it('gains and loses families, with their parameters', () => {
    const more = withFamily(SAMBA, 'bilateral', { radii: [3] });
    expect(more.families['bilateral']).toEqual({ radii: [3], ranges: [50, 100] });
    expect(withFamily(more, 'bilateral', false)).toEqual(SAMBA);
    expect(withParameter(more, 'bilateral', 'radii', undefined).families['bilateral']!['radii']).toEqual([5, 10]);
    const own = withParameter(SAMBA, 'gaussian', 'sigmas', [3, 5]);
    expect(own.families['gaussian']).toEqual({ sigmas: [3, 5] });
    expect(withParameter(own, 'gaussian', 'sigmas', undefined)).toEqual(SAMBA);
  });

  it('counts the channels of each family', () => {
    const counts = channelCounts(SAMBA, 1);
    expect([counts.get(''), counts.get('gaussian'), counts.get('hessian'), counts.has('median')]).toEqual([
      58,
      5,
      30,
      false
    ]);
    expect(channelCounts(SAMBA, 3).get('')).toBe(174);
    expect(channelCounts(featureSpec({ set: 'samba', color: 'luminance' }), 3).get('')).toBe(58);
  });

  it.each([1, 3])('groups every channel of the stack once, under its family (%i)', channels => {
    const spec = featureSpec({ set: 'weka', median: true, embedding: true });
    const names = featureNames(spec, channels);
    const groups = channelGroups(spec, channels, ['Red', 'Green', 'Blue']);
    expect(groups.flatMap(group => group.channels).sort((a, b) => a - b)).toEqual(names.map((_, i) => i));
    const medians = groups.filter(({ title }) => title.endsWith('Median'));
    expect(medians.map(({ title }) => title)).toEqual(
      channels === 1 ? ['Median'] : ['Red: Median', 'Green: Median', 'Blue: Median']
    );
    expect(groups.at(-1)!.title).toBe('What SAM sees');
    groups.at(-1)!.channels.forEach((channel, i) => expect(names[channel]).toBe(`SAM ${i + 1}`));
    medians.forEach(group => group.channels.forEach(channel => expect(names[channel]).toContain('median r=')));
  });

  it('gains and loses the embedding’s layers, in the encoder’s order', () => {
    expect(withEmbedding(SAMBA, true).embedding).toEqual(SAM.embedding);
    expect(withEmbedding(SAM, false)).toEqual({ ...SAM, embedding: null });
    const more = withLayer(withLayer(SAM, 'stage2', 4), 'stage1', 2);
    expect(more.embedding!.layers.map(({ layer }) => layer)).toEqual(['stage1', 'stage2', 'output']);
    expect(channelCounts(more, 3).get('embedding')).toBe(6 + SAM.embedding!.layers[0]!.components);
    expect(channelCounts(more, 3).get('')).toBe(featureNames(more, 3).length);
    expect(withLayer(withLayer(more, 'stage2', 0), 'stage1', 0)).toEqual(SAM);
    expect(problem(() => withLayer(SAM, 'output', 65))).toBe('Title: 65; a whole number from 1 to 64 will do.');
    expect(withWindow(withWindow(SAM, 512), null)).toEqual(SAM);
    expect(withWindow(SAM, 500).embedding!.window).toBe(500);
    expect(problem(() => withWindow(SAM, 100))).toBe('Title: 100; a whole number from 128 to 1024 will do.');
  });

  it('equals a classifier’s features also where the image filled in range and window', () => {
    const image = { dtype: 'uint16', display: { low: 3, high: 9 }, shape: [1, 200, 300, 1] };
    const choice = withFamily(SAM, 'entropy', {});
    const trained = withImage(choice, image);
    expect(trained).not.toEqual(choice);
    expect(sameFeatures(trained, choice)).toBe(true);
    expect(sameFeatures(trained, withWindow(choice, 1024))).toBe(false);
    expect(sameFeatures(trained, withWindow(choice, trained.embedding!.window))).toBe(true);
    expect(sameFeatures(withEmbedding(trained, false), choice)).toBe(false);
  });

  it('puts the panel’s title in front of an error', () => {
    expect(parseNumbers(' 1,2;  0.5 ')).toEqual([1, 2, 0.5]);
    expect(problem(() => parseNumbers('1, x'))).toBe('Title: “x”; a number will do.');
    expect(problem(() => featureSpec({ sigmas: [2, 1] }))).toBe('Title: [2,1]; numbers that ascend will do.');
    expect(problem(() => featureSpec({ sigmas: [0] }))).toBe('Title: 0; a number from 0.1 to 64 will do.');
    expect(problem(() => withParameter(SAMBA, 'membrane', 'patch', 18))).toBe(
      'Title: 18; an odd number from 3 to 63 will do.'
    );
  });
});

describe('a choice of a forest', () => {
  it('is a preset and the parameters that differ from it', () => {
    expect(forestChoice({})).toEqual({
      preset: DEFAULT_PRESET,
      params: FOREST_PRESETS[DEFAULT_PRESET],
      changed: false
    });
    expect(forestChoice(FOREST_PRESETS.deep)).toEqual({ preset: 'deep', params: FOREST_PRESETS.deep, changed: false });
    const fewer = withForest({ preset: 'deep' }, { trees: 20, maxSamples: null });
    expect(fewer).toEqual({ preset: 'deep', trees: 20, maxSamples: null });
    expect(forestChoice(fewer)).toMatchObject({ preset: 'deep', changed: true });
    expect(withForest(fewer, { trees: FOREST_PRESETS.deep.trees, maxSamples: 40000 })).toEqual({ preset: 'deep' });
  });

  it('recognises boosting by its parameters', () => {
    const { learningRate, patience, rounds } = FOREST_PRESETS.boosting;
    const slower = withForest({ preset: 'boosting' }, { learningRate: 0.037, patience: 7 });
    expect(slower).toEqual({ preset: 'boosting', learningRate: 0.037, patience: 7 });
    expect(forestChoice(slower)).toMatchObject({ preset: 'boosting', changed: true, params: { rounds } });
    expect(withForest(slower, { learningRate, patience })).toEqual({ preset: 'boosting' });
    expect(forestChoice({ rounds: 7 }).preset).toBe('boosting');
    expect(['samba', 'deep']).toContain(forestChoice({ trees: 7 }).preset);
    expect(problem(() => withForest(slower, { trees: 7 }))).not.toBe('');
    expect(sameLearner(FOREST_PRESETS.boosting, forestChoice({ preset: 'boosting' }).params)).toBe(true);
    expect(sameLearner(FOREST_PRESETS.boosting, forestChoice(slower).params)).toBe(false);
  });

  it('gives the number of trees in words', () => {
    expect(treesText({ ...FOREST_PRESETS.samba, trees: 12 })).toBe('12 trees');
    // Smoothing by 0 is none, as in a preset that does not name it.
    expect(withForest({ preset: 'samba' }, { refine: 0 })).toEqual({ preset: 'samba' });
    expect(withForest({ preset: 'samba' }, { refine: 3 })).toEqual({ preset: 'samba', refine: 3 });
    expect(treesText(forestChoice({ preset: 'deep', trees: 1 }).params)).toBe('1 tree');
    const boosting = { ...FOREST_PRESETS.boosting, rounds: 80, patience: 5 };
    expect(treesText(boosting)).toBe('up to 80 rounds');
    expect(treesText({ ...boosting, patience: null })).toBe('80 rounds');
  });
});
