/** An object that is carried: what is asked for, how far it is, how it is stopped, and what the user reads of it. */
import { inflateRawSync } from 'node:zlib';
import { MOBILE_SAM } from '../../../shared/models/mobile-sam';
import { discLogits, DISCS } from '../../../sam/__tests__/support/discs';
import { BridgeError, Params, Result } from '../../../shared';
import { FakeLink } from '../../base/__tests__/fake-link';
import { carriedText } from '../carried-text';
import { Carrying } from '../carrying';
import { Suggestion } from '../suggestion';

const RESULT: Result<'labels.carry'> = {
  version: 4,
  changed: 900,
  first: 3,
  last: 11,
  ends: { before: 'unseen', after: 'changed' }
};

describe('Carrying', () => {
  let asked: { params: Params<'labels.carry'>; buffers: readonly Uint8Array[] }[];
  let finish: (result: Result<'labels.carry'> | BridgeError) => void;
  let carrying: Carrying;
  let link: FakeLink;
  const mask = discLogits(DISCS[0]!);
  const suggestion = new Suggestion(
    DISCS[0]!,
    { lowRes: [mask], scores: [0.9], single: null },
    0,
    { rows: 3000, columns: 3000 },
    MOBILE_SAM,
    { row0: 500, row1: 1524, column0: 200, column1: 1224 },
    { connected: false, filled: true, smooth: false, grow: 2, edges: true }
  );
  const object = { suggestion, slice: 5, classId: 2, replaces: [0, 2], one: true, itself: false };
  const job = (id: string, done: number) =>
    link.tell('job', {
      session: link.session,
      job: id,
      kind: 'carry',
      state: 'running',
      stage: 'slices',
      done,
      total: 20,
      message: ''
    });

  beforeEach(() => {
    asked = [];
    let count = 0;
    link = new FakeLink((_, params: Params<'labels.carry'>, options) => {
      options!.onId!(`carry ${++count}`);
      asked.push({ params, buffers: options!.buffers! });
      return new Promise((resolve, reject) => {
        finish = value =>
          value instanceof BridgeError ? reject(value) : resolve({ result: value, buffers: [] as Uint8Array[] });
        options!.signal!.addEventListener('abort', () => reject(new BridgeError('cancelled', 'stopped')));
      });
    });
    carrying = new Carrying({ link });
  });
  afterEach(() => carrying.dispose());

  it('sends the mask with its window and shape, and counts its own slices alone', async () => {
    const counts: (number | null)[] = [];
    carrying.changed.connect(() => counts.push(carrying.slices));
    const done = carrying.start(object);
    job('another', 7);
    job('carry 1', 3);
    finish(RESULT);
    expect(await done).toEqual(RESULT);
    expect(counts).toEqual([0, 3, null]);
    const [{ params, buffers }] = asked as [(typeof asked)[0]];
    expect(params).toEqual({
      session: link.session,
      slice: 5,
      within: { row0: 500, row1: 1524, column0: 200, column1: 1224 },
      class: 2,
      replaces: [0, 2],
      one: true,
      itself: false,
      shape: { connected: false, filled: true, smooth: false, grow: 2, edges: true }
    });
    expect(buffers.map(({ length }) => length)).toEqual([4 * mask.length]);
  });

  it('sends the pixels that the user sees, where they become labels', async () => {
    const done = carrying.start({ ...object, itself: true });
    finish(RESULT);
    await done;
    const [{ params, buffers }] = asked as [(typeof asked)[0]];
    expect(params).toMatchObject({ itself: true, shown: suggestion.bounds });
    expect(new Uint8Array(inflateRawSync(buffers[1]!))).toEqual(suggestion.region(suggestion.bounds));
  });

  it('stops when it is told to or another object is carried, and passes errors on', async () => {
    expect(carrying.cancel()).toBe(false);
    const first = carrying.start(object);
    const second = carrying.start({ ...object, slice: 6 });
    expect(await first).toBeNull();
    expect(carrying.slices).toBe(0);
    expect(carrying.cancel()).toBe(true);
    expect([await second, carrying.slices]).toEqual([null, null]);
    const third = carrying.start(object);
    finish(new BridgeError('compute', 'SAM died'));
    await expect(third).rejects.toThrow('SAM died');
    expect(carrying.slices).toBeNull();
  });
});

it('carriedText says where an object is and why it ends', () => {
  expect(carriedText(RESULT, 5)).toBe(
    'Carried through slices 3 to 11. On slice 2 SAM sees no such object. On slice 12 its outline changes by more than half.'
  );
  expect(carriedText({ ...RESULT, first: 0, last: 0, ends: { before: 'stack', after: 'unsure' } }, 0)).toBe(
    'There is nothing to carry from slice 0. Slice 0 is the first one. On slice 1 SAM is not sure of it.'
  );
  expect(carriedText({ ...RESULT, changed: 0 }, 5)).toContain('older labels are kept');
});
