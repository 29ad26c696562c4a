/** In which order jobs get the encoder. */
import { GiveWay, Turns } from '../turns';

describe('Turns', () => {
  let turns: Turns;
  let log: string[];

  /** A job of some steps, which gives way between them. */
  const job = (name: string, urgency: number, steps: number, signal = new AbortController().signal) =>
    turns.run(urgency, signal, async giveWay => {
      for (let step = 1; step <= steps; step++) {
        log.push(`${name}${step}`);
        await later();
        if (step < steps) {
          await giveWay();
        }
      }
      return name;
    });
  const later = () => new Promise(resolve => setImmediate(resolve));

  beforeEach(() => {
    [turns, log] = [new Turns(), []];
  });

  it('do one job at a time, the most urgent first, of equally urgent ones the oldest', async () => {
    const done = Promise.all([job('a', 1, 2), job('b', 2, 1), job('c', 1, 1), job('d', 0, 1)]);
    expect(await done).toEqual(['a', 'b', 'c', 'd']);
    expect(log).toEqual(['a1', 'd1', 'a2', 'c1', 'b1']);
  });

  it('lay a job aside for a more urgent one, and that for a yet more urgent one; each goes on where it was', async () => {
    const c = job('c', 3, 3);
    await later();
    const b = job('b', 2, 3);
    await later();
    await later();
    const a = job('a', 1, 2);
    await Promise.all([a, b, c]);
    expect(log.join(' ')).toMatch(/^c1 (c2 )?b1 .*a1 a2 .*b3 .*c3$/);
    expect(log).toHaveLength(8);
    expect(new Set(log).size).toBe(8);
  });

  it('end a cancelled job where it gives way or waits, and go on with the others', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const running = job('a', 1, 3, first.signal);
    const waiting = job('b', 1, 3, second.signal);
    const last = job('c', 1, 1);
    first.abort(new Error('a is not wanted'));
    second.abort(new Error('b is not wanted'));
    await expect(waiting).rejects.toThrow('b is not wanted');
    await expect(running).rejects.toThrow('a is not wanted');
    expect(await last).toBe('c');
    expect(log).toEqual(['a1', 'c1']);
  });

  it('end a cancelled job at once while it is laid aside', async () => {
    const abort = new AbortController();
    const aside = job('b', 2, 2, abort.signal);
    let go!: () => void;
    const urgent = turns.run(1, new AbortController().signal, () => new Promise<void>(resolve => (go = resolve)));
    await later();
    await later();
    abort.abort(new Error('b is not wanted'));
    await expect(aside).rejects.toThrow('b is not wanted');
    go();
    await urgent;
    expect(log).toEqual(['b1']);
  });

  it('do the others when a job fails, and let a job become less urgent', async () => {
    const failing = turns.run(1, new AbortController().signal, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    const steps = async (giveWay: GiveWay, become: (urgency: number) => void) => {
      log.push('a1');
      await giveWay();
      log.push('a2');
      become(3);
      await giveWay();
      log.push('a3');
    };
    await Promise.all([turns.run(1, new AbortController().signal, steps), job('b', 2, 1)]);
    expect(log).toEqual(['a1', 'a2', 'b1', 'a3']);
  });
});
