import { Lru } from '../lru';

describe('Lru', () => {
  it('drops the least recently used entry', () => {
    const cache = new Lru<string, number>({ limit: 2 });
    cache.set('a', 1);
    cache.set('b', 2);
    cache.get('a');
    cache.set('c', 3);
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([1, undefined, 3]);
    cache.limit = 1;
    expect([...cache.keys()]).toEqual(['c']);
  });

  it('marks a value as used by set, but not by peek', () => {
    const cache = new Lru<string, number>({ limit: 2 });
    cache.set('a', 1);
    cache.set('b', 2);
    cache.set('a', 3);
    expect(cache.peek('b')).toBe(2);
    expect(cache.has('b')).toBe(true);
    cache.set('c', 4);
    expect([...cache.keys()]).toEqual(['a', 'c']);
    expect([...cache.values()]).toEqual([3, 4]);
  });

  it('keeps undefined as a value', () => {
    const cache = new Lru<string, number | undefined>({ limit: 2 });
    cache.set('a', undefined);
    cache.set('b', 1);
    cache.get('a');
    cache.set('c', 2);
    expect([...cache.keys()]).toEqual(['a', 'c']);
  });

  it('bounds the sum of the weights and tells which entries it drops', () => {
    const dropped: [string, string][] = [];
    const cache = new Lru<string, string>({
      limit: 5,
      weight: value => value.length,
      onEvict: (key, value) => dropped.push([key, value])
    });
    cache.set('a', 'xx');
    cache.set('b', 'yy');
    cache.set('a', 'x');
    expect(cache.weight).toBe(3);
    cache.set('c', 'zzzz');
    expect(dropped).toEqual([['b', 'yy']]);
    expect(cache.weight).toBe(5);
    cache.set('d', 'too much');
    expect(cache.size).toBe(0);
    expect(cache.weight).toBe(0);
  });

  it('removes entries without telling', () => {
    const onEvict = jest.fn();
    const cache = new Lru<string, number>({ limit: 3, onEvict });
    cache.set('a', 1);
    cache.set('b', 2);
    expect([cache.delete('a'), cache.delete('a')]).toEqual([true, false]);
    expect([cache.size, cache.weight]).toEqual([1, 1]);
    cache.clear();
    expect([cache.size, cache.weight]).toEqual([0, 0]);
    expect(onEvict).not.toHaveBeenCalled();
  });
});
