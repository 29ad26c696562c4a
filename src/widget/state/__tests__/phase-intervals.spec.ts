import { IReply } from '../../../kernel-bridge';
import { PhaseFraction, SessionState } from '../../../shared';
import { FakeLink } from '../../base/__tests__/fake-link';
import { PhaseIntervals } from '../phase-intervals';

const AFTER_MS = 5;
const wait = () => new Promise(resolve => setTimeout(resolve, 4 * AFTER_MS));

function make() {
  const asked: { signal: AbortSignal | undefined; resolve(reply: IReply<'phases.measure'>): void }[] = [];
  const link = new FakeLink(
    (_, __, options) => new Promise(resolve => asked.push({ signal: options?.signal, resolve }))
  );
  const intervals = new PhaseIntervals({ link, afterMs: AFTER_MS });
  const session = (version: number, labels = 1) =>
    ({
      segmentation: version > 0 ? { version } : null,
      labels: { version: labels },
      correction: null,
      region: null
    }) as unknown as SessionState;
  const answer = async (fraction: number) => {
    const phases = [{ id: 1, fraction, low: 0, high: 1 }] as unknown as PhaseFraction[];
    asked.at(-1)!.resolve({ result: { image: { pixels: 1, area: 1, phases: [] }, phases }, buffers: [] });
    await wait();
  };
  return { intervals, asked, session, answer };
}

describe('PhaseIntervals', () => {
  it('are asked for while somebody looks at them, and once for each state of the segmentation', async () => {
    const { intervals, asked, session, answer } = make();
    const owner = {};
    intervals.want(owner, true);
    await wait();
    intervals.want(owner, false);
    intervals.follow(session(1));
    await wait();
    expect(asked).toHaveLength(0);
    intervals.want(owner, true);
    await wait();
    expect([asked.length, intervals.isOutdated]).toEqual([1, true]);
    await answer(0.25);
    expect([intervals.phases[0]!.fraction, intervals.isOutdated]).toEqual([0.25, false]);
    intervals.follow(session(1));
    intervals.want(owner, false);
    intervals.want(owner, true);
    await wait();
    expect(asked).toHaveLength(1);
  });

  it('of a segmentation that changes meanwhile are given up, and the old ones stay until new ones are there', async () => {
    const { intervals, asked, session, answer } = make();
    intervals.want({}, true);
    intervals.follow(session(1));
    await wait();
    await answer(0.25);
    for (const labels of [2, 3, 4]) {
      intervals.follow(session(1, labels));
    }
    await wait();
    expect([asked.length, intervals.isOutdated, intervals.phases[0]!.fraction]).toEqual([2, true, 0.25]);
    intervals.follow(session(2, 4));
    expect(asked[1]!.signal!.aborted).toBe(true);
    await answer(0.5); // comes too late
    expect([asked.length, intervals.phases[0]!.fraction]).toEqual([3, 0.25]);
    await answer(0.75);
    expect([intervals.isOutdated, intervals.phases[0]!.fraction]).toEqual([false, 0.75]);
    intervals.follow(session(0));
    expect(intervals.phases).toEqual([]);
    intervals.dispose();
  });
});
