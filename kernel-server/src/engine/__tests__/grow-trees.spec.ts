import { DEEP_FOREST as deep, sambaForest } from '../../../../engine/__tests__/support/samba-forest';
import { expectRoom, treesPerTask } from '../grow-trees';

const samba = sambaForest();

describe('a task that grows trees', () => {
  it('has several trees of a small forest, and fewer with more rows, features or depth', () => {
    expect(treesPerTask(40000, 58, samba, 2)).toBeGreaterThan(5);
    expect(treesPerTask(40000, 58, deep, 2)).toBeLessThan(treesPerTask(40000, 58, samba, 2));
    expect(treesPerTask(400000, 58, samba, 2)).toBeLessThan(treesPerTask(40000, 58, samba, 2));
    expect(treesPerTask(40000, 58, { ...samba, maxFeatures: 58 }, 2)).toBeLessThanOrEqual(2);
  });

  it('is small enough that every thread gets one, and is never empty', () => {
    expect(treesPerTask(100, 58, samba, 16) * 16).toBeLessThanOrEqual(samba.trees);
    expect(treesPerTask(1, 1, { ...samba, trees: 1 }, 16)).toBe(1);
    expect(treesPerTask(5_000_000, 4000, deep, 2)).toBe(1);
  });
});

describe('the memory for training', () => {
  it('holds a few million labelled pixels', () => {
    expect(() => expectRoom(2_000_000, 58, 3, deep)).not.toThrow();
  });

  it('is refused beyond its limit, with a number of pixels that fits', () => {
    const refused = (rows: number) => {
      try {
        expectRoom(rows, 58, 3, samba);
      } catch (error) {
        return (error as Error).message;
      }
      return undefined;
    };
    const message = refused(67_108_864)!;
    expect(message).toMatch(/67108864 labelled pixels with 58 features/);
    const most = Number(/maxSamples up to (\d+)/.exec(message)![1]);
    expect(most).toBeGreaterThan(1_000_000);
    expect(refused(most)).toBeUndefined();
    expect(refused(most * 1.02)).toBeDefined();
  });
});
