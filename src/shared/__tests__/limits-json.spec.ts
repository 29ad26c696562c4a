import { LIMITS } from '../limits-json';
import { FOREST_PRESETS } from '../learners';

describe('LIMITS', () => {
  const plain = JSON.parse(JSON.stringify(LIMITS)) as typeof LIMITS;
  const properties = (name: keyof typeof LIMITS.parameters) =>
    (plain.parameters[name] as { properties: Record<string, unknown> }).properties;

  it('has the range of each parameter, and the words allowed instead of a number', () => {
    expect(properties('forest')).toMatchObject({
      trees: { type: 'integer', minimum: 1, maximum: 2000 },
      maxFeatures: {
        anyOf: [
          { type: 'integer', minimum: 1, maximum: 4096 },
          { type: 'string', const: 'sqrt' }
        ]
      },
      maxSamples: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }] },
      seed: { minimum: 0, maximum: 0xffffffff }
    });
    expect(properties('boosting')).toMatchObject({
      kind: { const: 'boosting' },
      learningRate: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
      maxFeatures: { anyOf: [{ maximum: 4096 }, { enum: ['sqrt', 'all'] }] }
    });
    expect(properties('contrast')).toMatchObject({ gamma: { minimum: 0.1, maximum: 10 } });
    expect(properties('regions')).toMatchObject({ side: { minimum: 8, maximum: 1024 }, count: { maximum: 1000 } });
  });

  it('names all parameters of each preset', () => {
    for (const { kind, ...params } of Object.values(FOREST_PRESETS) as { kind?: string }[]) {
      expect(Object.keys(properties(kind ? 'boosting' : 'forest'))).toEqual(
        expect.arrayContaining(Object.keys(params))
      );
    }
  });

  it('is JSON', () => {
    expect(JSON.stringify(LIMITS)).not.toContain('$schema');
    expect(plain.classifier).toEqual(LIMITS.classifier);
  });
});
