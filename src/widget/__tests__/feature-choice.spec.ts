import { featureNames, featureSpec, FOREST_PRESETS } from '../../kernel-bridge';
import {
  channelCounts,
  channelGroups,
  familyOf,
  forestChoice,
  namedSet,
  parseNumbers,
  problemWith,
  withFamily,
  withForest,
  withParameter,
  withSet
} from '../feature-choice';

function problem(action: () => unknown): string {
  try {
    action();
  } catch (reason) {
    return problemWith('Title', reason);
  }
  return '';
}

describe('a choice of features', () => {
  it('knows the family of a channel, in colour images too, and that the image itself has none', () => {
    const spec = featureSpec({ set: 'samba', entropy: true });
    const names = featureNames(spec, 3);
    const family = (name: string) => familyOf(spec, names.indexOf(name))?.name;
    expect(family('blue: entropy r=4 bins=64')).toBe('entropy');
    expect(family('green: gaussian σ=4')).toBe('gaussian');
    expect([family('red: original'), family('blue: original'), familyOf(spec, -1)]).toEqual([
      undefined,
      undefined,
      undefined
    ]);
  });

  it('is recognised as a named set, whatever its colour, until something differs', () => {
    expect(namedSet(featureSpec())).toBe('samba');
    expect(namedSet(featureSpec({ set: 'weka', color: 'luminance', range: [3, 9] }))).toBe('weka');
    expect(namedSet(featureSpec({ set: 'weka', sigmas: [1] }))).toBeNull();
    const back = withSet(featureSpec({ set: 'weka', sigmas: [1], color: 'luminance' }), 'samba');
    expect([namedSet(back), back.color]).toEqual(['samba', 'luminance']);
  });

  it('gains and loses families, with their parameters', () => {
    const more = withFamily(featureSpec(), 'bilateral', { radii: [3] });
    expect(more.families['bilateral']).toEqual({ radii: [3], ranges: [50, 100] });
    expect(withFamily(more, 'bilateral', false)).toEqual(featureSpec());
    expect(withParameter(more, 'bilateral', 'radii', undefined).families['bilateral']!['radii']).toEqual([5, 10]);
    const own = withParameter(featureSpec(), 'gaussian', 'sigmas', [3, 5]);
    expect(own.families['gaussian']).toEqual({ sigmas: [3, 5] });
    expect(withParameter(own, 'gaussian', 'sigmas', undefined)).toEqual(featureSpec());
  });

  it('counts the channels of each family as the stack has them', () => {
    const counts = channelCounts(featureSpec(), 1);
    expect([counts.get(''), counts.get('gaussian'), counts.get('hessian'), counts.has('median')]).toEqual([
      58,
      5,
      30,
      false
    ]);
    expect(channelCounts(featureSpec(), 3).get('')).toBe(174);
    expect(channelCounts(featureSpec({ color: 'luminance' }), 3).get('')).toBe(58);
  });

  it.each([1, 3])('groups every channel of the stack once, under its family (%i)', channels => {
    const spec = featureSpec({ set: 'weka', median: true });
    const names = featureNames(spec, channels);
    const groups = channelGroups(spec, channels, ['Red', 'Green', 'Blue']);
    expect(groups.flatMap(group => group.channels).sort((a, b) => a - b)).toEqual(names.map((_, i) => i));
    const medians = groups.filter(({ title }) => title.endsWith('Median'));
    expect(medians.map(({ title }) => title)).toEqual(
      channels === 1 ? ['Median'] : ['Red: Median', 'Green: Median', 'Blue: Median']
    );
    medians.forEach(group => group.channels.forEach(channel => expect(names[channel]).toContain('median r=')));
  });

  it('says what is wrong after the title that the person sees', () => {
    expect(parseNumbers(' 1,2;  0.5 ')).toEqual([1, 2, 0.5]);
    expect(problem(() => parseNumbers('1, x'))).toBe('Title: “x”; a number will do.');
    expect(problem(() => featureSpec({ sigmas: [2, 1] }))).toBe('Title: [2,1]; numbers that ascend will do.');
    expect(problem(() => featureSpec({ sigmas: [0] }))).toBe('Title: 0; a number from 0.1 to 64 will do.');
    expect(problem(() => withParameter(featureSpec(), 'membrane', 'patch', 18))).toBe(
      'Title: 18; an odd number from 3 to 63 will do.'
    );
  });
});

describe('a choice of a forest', () => {
  it('is a preset and what differs from it', () => {
    expect(forestChoice({})).toEqual({ preset: 'samba', params: FOREST_PRESETS.samba, changed: false });
    expect(forestChoice(FOREST_PRESETS.deep)).toEqual({ preset: 'deep', params: FOREST_PRESETS.deep, changed: false });
    const fewer = withForest({ preset: 'deep' }, { trees: 20, maxSamples: null });
    expect(fewer).toEqual({ preset: 'deep', trees: 20, maxSamples: null });
    expect(forestChoice(fewer)).toMatchObject({ preset: 'deep', changed: true });
    expect(withForest(fewer, { trees: FOREST_PRESETS.deep.trees, maxSamples: 40000 })).toEqual({ preset: 'deep' });
  });
});
