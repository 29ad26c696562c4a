import { BridgeError, Result, SuggestedRegion } from '../../../shared';
import { FakeLink } from '../../base/__tests__/fake-link';
import { Guide, reasonText, REGIONS_ASKED } from '../guide';

const tick = () => new Promise(resolve => setTimeout(resolve, 0));

function at(row0: number, more: Partial<SuggestedRegion> = {}): SuggestedRegion {
  return { slice: 0, row0, row1: row0 + 32, column0: 0, column1: 32, reason: 'uncertain', score: 0.5, ...more };
}

function make(first: SuggestedRegion[] = [at(0), at(100), at(200)]) {
  const state = {
    regions: first,
    labelled: new Set<number>(),
    version: 1,
    fail: null as Error | null,
    asked: [] as number[]
  };
  const link = new FakeLink(async (_, { count }: { count: number }, options) => {
    state.asked.push(count);
    options!.onId!(`job-${state.asked.length}`);
    await tick();
    if (state.fail) {
      throw state.fail;
    }
    return { result: { by: 'uncertainty', regions: state.regions } satisfies Result<'regions'>, buffers: [] };
  });
  const guide = new Guide({
    slices: 1,
    link,
    labelled: ({ row0 }) => state.labelled.has(row0),
    version: () => state.version
  });
  const next = async () => (await guide.next())?.row0 ?? null;
  return { guide, link, state, next };
}

describe('Guide', () => {
  it('requests regions once, goes from the best to the next, and begins again after the last', async () => {
    const { guide, state, next } = make();
    expect([await next(), await next(), await next(), await next()]).toEqual([0, 100, 200, 0]);
    expect(state.asked).toEqual([REGIONS_ASKED]);
    expect(guide.region).toEqual(at(0));
    expect(guide.told!.text).toContain('least sure');
  });

  it('skips regions that have a label now, and requests others when none is left', async () => {
    const { state, next } = make();
    expect(await next()).toBe(0);
    state.labelled.add(0).add(100);
    expect(await next()).toBe(200);
    state.labelled.add(200);
    state.regions = [at(300)];
    expect(await next()).toBe(300);
    expect(state.asked).toHaveLength(2);
  });

  it('requests regions again for a new segmentation, and skips those that were seen', async () => {
    const { state, next } = make();
    expect(await next()).toBe(0);
    state.version = 2;
    state.regions = [at(8), at(100), at(0, { slice: 1 })];
    expect([await next(), await next(), await next()]).toEqual([100, 0, 8]);
    expect(state.asked).toHaveLength(2);
  });

  it('tells of no region, of an error, and of the progress of the search', async () => {
    const { guide, link, state } = make([]);
    const asking = guide.next();
    expect(await guide.next()).toBeNull();
    const job = { session: 's', kind: 'regions', state: 'running', stage: '', done: 1, total: 4, message: '' } as const;
    link.tell('job', { ...job, job: 'another' });
    expect(guide.state).toEqual({ state: 'asking', fraction: null });
    link.tell('job', { ...job, job: 'job-1' });
    expect(guide.told).toEqual({ text: 'Looking for a region to label… 25 %', kind: 'busy' });
    expect(await asking).toBeNull();
    expect(state.asked).toHaveLength(1);
    expect(guide.told).toEqual({ text: 'There is no region without labels to suggest.', kind: 'plain' });
    state.fail = new BridgeError('not-ready', 'The image is not here yet.');
    expect(await guide.next()).toBeNull();
    expect(guide.told).toEqual({ text: 'No region to suggest: The image is not here yet.', kind: 'error' });
    state.fail = null;
    state.regions = [at(7)];
    expect((await guide.next())!.row0).toBe(7);
  });

  it('stops explaining once the user draws, and unmarks a labelled region with the next segmentation', async () => {
    const { guide, state, next } = make();
    guide.follow(1);
    await next();
    guide.drawn();
    guide.follow(1);
    state.version = 2;
    guide.follow(2);
    expect([guide.told, guide.region]).toEqual([null, at(0)]);
    state.labelled.add(0);
    guide.follow(2);
    expect(guide.region).toEqual(at(0));
    guide.follow(3);
    expect(guide.region).toBeNull();
    await next();
    expect(guide.told).not.toBeNull();
  });

  it('stops the search when the user goes on, but keeps a mark', async () => {
    const { guide, next } = make();
    const asking = guide.next();
    guide.leave();
    expect([await asking, guide.state.state]).toEqual([null, 'idle']);
    await next();
    guide.leave();
    expect(guide.region).not.toBeNull();
  });

  it('marks nothing once it is dismissed, even during a search', async () => {
    const { guide, next } = make();
    await next();
    guide.dismiss();
    expect([guide.region, guide.told]).toEqual([null, null]);
    const fresh = make();
    const asking = fresh.guide.next();
    fresh.guide.dismiss();
    expect(await asking).toBeNull();
    expect(fresh.guide.state).toEqual({ state: 'idle' });
  });

  it('says why to label a region, and on which slice of a stack', () => {
    expect(reasonText(at(0, { score: 0.874 }), 1)).toBe(
      'Where next: the classifier is least sure here (uncertainty 87 %).'
    );
    expect(reasonText(at(0, { reason: 'unusual', score: 17, slice: 3 }), 9)).toBe(
      'Where next: slice 3, looks unlike the rest.'
    );
    expect(reasonText(at(0, { reason: 'representative', score: 0.31 }), 1)).toContain('31 %');
  });
});
