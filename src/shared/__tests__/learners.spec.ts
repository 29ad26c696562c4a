import { DEFAULT_PRESET, FOREST_PRESETS, forestParams, isBoosting, learnerParams } from '../learners';

describe('learnerParams', () => {
  it('takes the preset deep, whose probabilities follow the edges of the image, if no preset is named', () => {
    expect(DEFAULT_PRESET).toBe('deep');
    expect(learnerParams()).toEqual(FOREST_PRESETS.deep);
    expect(learnerParams({ preset: undefined, seed: 3 })).toEqual({
      trees: 100,
      maxDepth: 64,
      maxFeatures: 'sqrt',
      minLeaf: 1,
      balanced: true,
      maxSamples: 40000,
      seed: 3,
      refine: 6
    });
  });

  it('takes SAMBA’s forest, without refinement, if it is named or a forest is asked for', () => {
    expect(learnerParams({ preset: 'samba' })).toEqual(FOREST_PRESETS.samba);
    expect(forestParams()).toEqual(FOREST_PRESETS.samba);
    expect(forestParams().refine).toBeUndefined();
  });

  it('takes boosted trees by name, and refuses them where a forest is asked for', () => {
    const params = learnerParams({ preset: 'boosting', rounds: 7 });
    expect(isBoosting(params)).toBe(true);
    expect(params).toEqual({ ...FOREST_PRESETS.boosting, rounds: 7 });
    expect(isBoosting(learnerParams())).toBe(false);
    expect(() => forestParams({ preset: 'boosting' })).toThrow(/boosting grows no forest; choose samba or deep/);
  });

  it.each([
    [{ preset: 'shallow' }, /forest\.preset: there is no "shallow"; the presets are samba, deep, boosting/],
    [{ rounds: 7 }, /rounds/],
    [{ preset: 'boosting', trees: 7 }, /trees/],
    [{ refine: -1 }, /forest\.refine/],
    [{ maxFeatures: 'all' }, /forest\.maxFeatures/]
  ])('refuses %j, naming the wrong value', (partial, message) => {
    expect(() => learnerParams(partial)).toThrow(message);
  });
});
