import { EventParams, SliceRect, SessionState } from '../../../shared';
import { FakeLink } from '../../base/__tests__/fake-link';
import { LiveState } from '../live-state';

const after = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));
const region = (row0: number) => ({ row0, row1: row0 + 10, column0: 0, column1: 20 });

function make() {
  const views: (SliceRect | null)[] = [];
  const asked: { method: string; params: unknown }[] = [];
  const answers: ((error?: Error) => void)[] = [];
  const link = new FakeLink((method, params: { on: boolean; view: SliceRect | null }) => {
    if (method === 'session.view') {
      views.push(params.view);
      return Promise.resolve({ result: {} });
    }
    asked.push({ method, params });
    return new Promise((resolve, reject) =>
      answers.push(error => (error ? reject(error) : resolve({ result: { live: params.on } })))
    );
  });
  const live = new LiveState({ link, viewAfterMs: 5, showAfterMs: 20, quietAfterMs: 60 });
  const take = (on: boolean) => live.take({ live: on } as SessionState);
  const job = (id: string, values: Partial<EventParams<'job'>> = {}) =>
    link.tell('job', {
      session: link.session,
      job: id,
      kind: 'live',
      state: 'running',
      stage: 'growing trees',
      done: 1,
      total: 4,
      message: '',
      ...values
    });
  let quiet = 0;
  live.quiet.connect(() => quiet++);
  return { live, link, views, asked, answers, take, job, quiet: () => quiet };
}

describe('LiveState', () => {
  it('shows the switch at once, and goes back if the sidecar refuses', async () => {
    const { live, answers, take } = make();
    const first = live.set(true);
    expect(live.on).toBe(true);
    expect(live.state.state).toBe('off'); // no round can be under way yet
    answers[0]!();
    take((await first).live);
    expect([live.on, live.state.state]).toEqual([true, 'ready']);
    const second = live.set(false);
    expect(live.on).toBe(false);
    answers[1]!(new Error('no'));
    await expect(second).rejects.toThrow('no');
    expect(live.on).toBe(true);
  });

  it('sends the view with the switch, and again when a moved view rests', async () => {
    const { live, link, asked, answers, views, take } = make();
    const canvas = {};
    live.show(canvas, 2, region(0));
    const switched = live.set(true);
    expect(asked[0]!.params).toEqual({ session: link.session, on: true, view: { slice: 2, ...region(0) } });
    answers[0]!();
    take((await switched).live);
    expect(views).toEqual([]);
    [10, 20, 30].forEach(row => live.show(canvas, 2, region(row)));
    await after(20);
    expect(views).toEqual([{ slice: 2, ...region(30) }]);
    live.show(canvas, 2, region(30));
    await after(20);
    expect(views).toHaveLength(1);
    live.show(canvas, 2, null);
    await after(20);
    expect(views).toEqual([{ slice: 2, ...region(30) }, null]);
  });

  it('sends the view while it is off as well: a training segments it first', async () => {
    const { live, views } = make();
    live.show({}, 0, region(0));
    await after(20);
    expect(views).toEqual([{ slice: 0, ...region(0) }]);
  });

  it('sends the view to a new sidecar', () => {
    const { live, link, views, take } = make();
    live.show({}, 0, region(0));
    take(true);
    link.attached.emit({} as SessionState);
    expect(views).toHaveLength(2);
  });

  it('sends the rectangle around all views of the slice that was shown last', async () => {
    const { live, views, take } = make();
    take(true);
    const [one, other, elsewhere] = [{}, {}, {}];
    live.show(elsewhere, 1, region(500));
    live.show(one, 0, region(0));
    live.show(other, 0, region(50));
    await after(20);
    expect(views).toEqual([{ slice: 0, row0: 0, row1: 60, column0: 0, column1: 20 }]);
    live.show(elsewhere, 1, region(500));
    await after(20);
    expect(views[1]).toEqual({ slice: 1, ...region(500) });
  });

  it('shows the progress of long rounds only', async () => {
    const { live, take, job } = make();
    take(true);
    job('a');
    expect(live.state.state).toBe('ready');
    job('a', { state: 'done' });
    await after(30);
    expect(live.state.state).toBe('ready');
    job('b');
    await after(30);
    expect(live.state).toEqual({ state: 'working', stage: 'growing trees', fraction: 0.25, message: '' });
    // A newer stroke takes the place of that round: it still is one piece of work for the eye.
    job('b', { state: 'cancelled' });
    job('c', { done: 0 });
    expect(live.state).toMatchObject({ state: 'working', fraction: 0 });
    job('c', { state: 'done' });
    expect(live.state.state).toBe('ready');
  });

  it('shows why a round failed until another one succeeds', () => {
    const { live, take, job } = make();
    take(true);
    job('a', { state: 'failed', message: 'No memory.' });
    expect(live.state).toEqual({ state: 'failed', message: 'No memory.' });
    live.dismiss();
    expect(live.state.state).toBe('ready');
    job('a', { state: 'failed', message: 'No memory.' });
    job('b', { state: 'done' });
    expect(live.state.state).toBe('ready');
  });

  it('emits when no round is under way, but not between two rounds', async () => {
    const { take, job, link, quiet } = make();
    take(true);
    job('a');
    await after(80);
    job('a', { state: 'cancelled' });
    job('b');
    await after(80);
    expect(quiet()).toBe(0);
    job('b', { state: 'cancelled' });
    await after(80);
    expect(quiet()).toBe(1);
    const tiles = [{ row: 0, column: 0 }];
    link.tell('segmentation.tiles', { session: link.session, round: 1, labelsVersion: 1, slice: 0, tiles });
    await after(80);
    expect(quiet()).toBe(2);
  });

  it('says that a round was cancelled if no other follows, until the next', async () => {
    const { live, take, job } = make();
    let changes = 0;
    live.changed.connect(() => changes++);
    take(true);
    job('a');
    job('a', { state: 'cancelled' });
    expect(live.left).toBe(false);
    const before = changes;
    await after(80);
    expect(live.left).toBe(true);
    expect(changes).toBeGreaterThan(before); // who shows it hears of it
    job('b');
    expect(live.left).toBe(false);
    job('b', { state: 'done' });
    await after(80);
    expect(live.left).toBe(false);
  });

  it('cancels the running round', async () => {
    const { live, asked, answers, take, job } = make();
    take(true);
    job('a');
    const cancelled = live.cancel();
    answers[0]!();
    await cancelled;
    expect(asked).toEqual([{ method: 'cancel', params: { id: 'a' } }]);
  });
});
