import { classesOfSet } from '../class-sets';

const color = '#112233';
const classes = [3, 7, 9, 12].map(id => ({ id, name: `class ${id}`, color }));
const set = (...names: string[]) => ({ name: 'set', classes: names.map(name => ({ name, color: '#445566' })) });
const short = (given: { id: number; name: string }[]) => given.map(({ id, name }) => `${id} ${name}`);

describe('classesOfSet', () => {
  it('names classes by position and keeps their ids', () => {
    const made = classesOfSet(classes.slice(0, 2), set('a', 'b'), new Set([3]), new Set());
    expect(short(made)).toEqual(['3 a', '7 b']);
    expect(made[0]!.color).toBe('#445566');
  });

  it('gives further classes ids that are free, those that a segmentation shows last', () => {
    const made = classesOfSet(classes.slice(0, 1), set('a', 'b', 'c'), new Set(), new Set([1, 2]));
    expect(short(made)).toEqual(['3 a', '4 b', '5 c']);
  });

  it('keeps classes with labels beyond the set, under names that differ from its own', () => {
    const made = classesOfSet(classes, set('class 12', 'class 12 (2)'), new Set([3, 12]), new Set());
    expect(short(made)).toEqual(['3 class 12', '7 class 12 (2)', '12 class 12 (3)']);
  });

  it('has room for a set of as many classes as there are ids', () => {
    const names = Array.from({ length: 255 }, (_, i) => `m${i}`);
    const made = classesOfSet(classes, set(...names), new Set([3, 7, 9, 12]), new Set([1]));
    expect(new Set(made.map(({ id }) => id)).size).toBe(255);
  });
});
