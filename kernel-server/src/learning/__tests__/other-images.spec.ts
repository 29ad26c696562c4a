/** What is said of an image unlike those that a classifier was trained on. */
import type { TrainedOn } from '../../../../src/shared/protocol';
import { differences, IKnown } from '../other-images';

const trainedOn: TrainedOn = { dtypes: ['uint16'], low: 1000, high: 3000 };
const known: IKnown = { standardised: false, trainedOn, pixelSize: { value: 2, unit: 'nm' } };

describe('The differences of an image from those trained on', () => {
  it.each([
    [1000, 3000],
    [1200, 2200],
    [400, 5000],
    [1900, 4000]
  ])('do not matter for grey values from %d to %d', (low, high) => {
    expect(differences(known, { dtype: 'uint16' }, { low, high })).toBe('');
  });

  it.each([
    [4, 12],
    [2500, 4500],
    [0, 60_000],
    [1000, 1400]
  ])('are told for grey values from %d to %d, unless pixels are standardised', (low, high) => {
    expect(differences(known, { dtype: 'uint16' }, { low, high })).toMatch(/grey values from 1000 to 3000; this image/);
    expect(differences({ ...known, standardised: true }, { dtype: 'uint16' }, { low, high })).toBe('');
    expect(differences({ ...known, trainedOn: null }, { dtype: 'uint16' }, { low, high })).toBe('');
  });

  it('are told for another dtype', () => {
    expect(differences(known, { dtype: 'float32' }, trainedOn)).toMatch(/trained on images of uint16.*is float32/);
  });

  it.each([
    [4, 'nm', true],
    [0.002, 'µm', false],
    [2.05, 'nm', false],
    [20, 'Å', false],
    [20, 'nm', true],
    [2, 'px', false]
  ])('are told for pixels of %d %s: %s', (value, unit, told) => {
    const said = differences(known, { dtype: 'uint16', pixelSize: { value, unit } }, trainedOn);
    expect(said).toMatch(told ? new RegExp(`pixels of 2 nm; those of this image are ${value} ${unit}`) : /^$/);
  });
});
