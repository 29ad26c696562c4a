import { DEFAULT_PRESET, FOREST_PRESETS, isBoosting, learnerParams } from '../learners';

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

  it('takes SAMBA’s forest, without refinement, by name', () => {
    expect(learnerParams({ preset: 'samba' })).toEqual(FOREST_PRESETS.samba);
    expect(learnerParams({ preset: 'samba', trees: undefined, seed: 3 })).toEqual({
      trees: 200,
      maxDepth: 10,
      maxFeatures: 2,
      minLeaf: 1,
      balanced: true,
      maxSamples: 40000,
      seed: 3
    });
  });

  it('takes boosted trees by name', () => {
    const params = learnerParams({ preset: 'boosting', rounds: 7 });
    expect(isBoosting(params)).toBe(true);
    expect(params).toEqual({ ...FOREST_PRESETS.boosting, rounds: 7 });
    expect(isBoosting(learnerParams())).toBe(false);
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
