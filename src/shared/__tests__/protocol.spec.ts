import { parseIncoming, parseRequest } from '../protocol';

const session = 'ab'.repeat(16);
const patch = { session, slice: 0, class: 1, replaces: [0, 255], tiles: [{ row: 0, column: 0 }] };

describe('parseRequest', () => {
  it('accepts a patch and drops fields that the protocol does not name', () => {
    const request = parseRequest({ v: 1, id: 'a', method: 'labels.patch', params: { ...patch, extra: 1 } });
    expect(request.params).toEqual(patch);
  });

  it.each([
    ['no id', { method: 'ping', params: {} }, 'malformed'],
    ['an id that is too long', { id: 'x'.repeat(101), method: 'ping', params: {} }, 'malformed'],
    ['an unknown method', { id: 'a', method: 'eval', params: {} }, 'unknown-method'],
    ['a method of every object', { id: 'a', method: 'constructor', params: {} }, 'unknown-method'],
    ['a path for a session id', { id: 'a', method: 'session.attach', params: { session: '../../x' } }, 'invalid'],
    ['a class beyond 255', { id: 'a', method: 'labels.patch', params: { ...patch, class: 256 } }, 'invalid'],
    [
      'a negative tile',
      { id: 'a', method: 'labels.patch', params: { ...patch, tiles: [{ row: -1, column: 0 }] } },
      'invalid'
    ],
    ['no params', { id: 'a', method: 'train' }, 'malformed']
  ])('refuses %s', (_, header, code) => {
    expect(() => parseRequest(header)).toThrow(expect.objectContaining({ code }));
  });

  it('names the field that is wrong', () => {
    const params = { ...patch, class: 'pore' };
    expect(() => parseRequest({ id: 'a', method: 'labels.patch', params })).toThrow(/labels\.patch: class/);
  });

  it.each([
    [{ low: 2, high: 2 }, /low must be below high/],
    [{ low: -1e308, high: 1e308 }, /high − low must be finite/],
    [{ low: -Infinity }, /low/],
    [{ gamma: 0 }, /gamma/],
    [{ channels: [false, false, false] }, /one channel must be shown/]
  ])('refuses the contrast %j', (wrong, why) => {
    const usual = { low: 0, high: 1, gamma: 1, inverse: false, channels: [true, true, true] };
    const ask = (contrast: object) => parseRequest({ id: 'a', method: 'sam.contrast', params: { session, contrast } });
    expect(() => ask({ ...usual, ...wrong })).toThrow(why);
    expect(ask({ ...usual, low: -8e307, high: 8e307 }).params).toMatchObject({ contrast: { high: 8e307 } });
  });

  it('refuses a list of classes that repeats an id', () => {
    const classes = [
      { id: 1, name: 'a', color: '#000000' },
      { id: 1, name: 'b', color: '#ffffff' }
    ];
    expect(() => parseRequest({ id: 'a', method: 'session.classes', params: { session, classes } })).toThrow(/differ/);
  });
});

describe('parseIncoming', () => {
  it('reads replies, errors and events', () => {
    expect(parseIncoming({ re: 'a', result: 1 })).toEqual({ re: 'a', result: 1 });
    expect(parseIncoming({ re: 'a', error: { code: 'invalid', message: 'm' } })).toMatchObject({
      error: { code: 'invalid' }
    });
    expect(parseIncoming({ event: 'segmentation', params: { session, version: 2 } })).toMatchObject({
      event: 'segmentation'
    });
  });

  it('ignores unknown events', () => {
    expect(parseIncoming({ event: 'news', params: {} })).toBeUndefined();
  });
});
