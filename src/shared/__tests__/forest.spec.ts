import { DEFAULT_PRESET, FOREST_PRESETS, forestParams, isBoosting, learnerParams } from '../forest';

describe('learner params', () => {
  it('are, where no preset is named, those of trees that are grown out, whose probabilities follow the edges of the image', () => {
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

  it('are SAMBA’s by its name, or where a forest alone will do, and then nothing is refined', () => {
    expect(learnerParams({ preset: 'samba' })).toEqual(FOREST_PRESETS.samba);
    expect(forestParams()).toEqual(FOREST_PRESETS.samba);
    expect(forestParams().refine).toBeUndefined();
  });

  it('are those of boosting by its name, which grows no forest', () => {
    const params = learnerParams({ preset: 'boosting', rounds: 7 });
    expect(isBoosting(params)).toBe(true);
    expect(params).toEqual({ ...FOREST_PRESETS.boosting, rounds: 7 });
    expect(isBoosting(learnerParams())).toBe(false);
    expect(() => forestParams({ preset: 'boosting' })).toThrow(/boosting grows no forest; samba and deep will do/);
  });

  it.each([
    [{ preset: 'shallow' }, /forest\.preset: there is no "shallow"; these will do: samba, deep, boosting/],
    [{ rounds: 7 }, /rounds/],
    [{ preset: 'boosting', trees: 7 }, /trees/],
    [{ refine: -1 }, /forest\.refine/],
    [{ maxFeatures: 'all' }, /forest\.maxFeatures/]
  ])('refuse %j by name', (partial, message) => {
    expect(() => learnerParams(partial)).toThrow(message);
  });
});
