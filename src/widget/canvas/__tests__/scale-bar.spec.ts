/** @jest-environment jsdom */
import '../../__tests__/page';
import { barOf } from '../scale-bar';

describe('barOf', () => {
  it('is the longest of 1, 2, 5 times a power of ten that fits', () => {
    // 2.5 nm a pixel, shown at 0.77: 160 CSS pixels are 519 nm.
    expect(barOf({ value: 2.5, unit: 'nm' }, 0.77, 160)).toEqual({ text: '500 nm', width: (500 / 2.5) * 0.77 });
    const texts = [100, 99, 50, 49, 20, 19, 10, 9].map(widest => barOf({ value: 1, unit: 'mm' }, 1, widest).text);
    expect(texts).toEqual(['100 mm', '50 mm', '50 mm', '20 mm', '20 mm', '10 mm', '10 mm', '5 mm']);
  });

  it('changes the unit with the length', () => {
    const at = (scale: number, unit = 'nm', value = 1) => barOf({ value, unit }, scale, 100).text;
    expect([10, 1, 0.1, 0.01, 1e-4, 1e-7].map(scale => at(scale))).toEqual([
      '10 nm',
      '100 nm',
      '1 µm',
      '10 µm',
      '1 mm',
      '1 m'
    ]);
    expect(at(1000)).toBe('100 pm');
    expect([at(1, 'um', 0.05), at(1, 'µm', 0.05), at(1, 'micron', 0.05)]).toEqual(['5 µm', '5 µm', '5 µm']);
    expect(at(1, 'Å')).toBe('10 nm');
    expect(at(1, 'cm', 0.1)).toBe('100 mm');
  });

  it('keeps a unit that it does not know, also for less than one of it', () => {
    expect(barOf({ value: 0.003, unit: 'inch' }, 1, 100)).toEqual({ text: '0.2 inch', width: 0.2 / 0.003 });
    expect(barOf({ value: 3, unit: 'voxel' }, 1, 100).text).toBe('200 voxel');
  });

  it('is never wider than it may be, and more than a third of that', () => {
    for (let i = 0; i < 300; i++) {
      const { width } = barOf({ value: 1.7, unit: 'nm' }, 1.0937 ** (i - 150), 160);
      expect(width).toBeLessThanOrEqual(160.001);
      expect(width).toBeGreaterThan(63.9);
    }
  });
});
