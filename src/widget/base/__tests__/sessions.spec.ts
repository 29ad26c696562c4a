import { placeOf } from '../sessions';

const changed = '2026-11-27T03:11:33.000Z';

describe('placeOf', () => {
  it('puts a name in quotes, and names notebook and variable where there is none', () => {
    const origin = { document: 'work\\gold.ipynb', place: 'variable lab' };
    expect(placeOf({ name: 'shut down', origin, changed })).toMatch(/^“shut down”, /);
    expect(placeOf({ name: null, origin, changed })).toMatch(/^gold\.ipynb, variable lab, /);
  });
});
