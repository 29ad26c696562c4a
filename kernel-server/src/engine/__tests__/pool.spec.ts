import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnginePool } from '../pool';
import { EngineTask } from '../tasks';

const folder = mkdtempSync(join(tmpdir(), 'sambalab-pool-'));
const script = join(folder, 'worker.cjs');
writeFileSync(
  script,
  `const { parentPort, threadId } = require('node:worker_threads');
  parentPort.on('message', ({ id, task }) => {
    if (task.kind === 'die') process.exit(3);
    if (task.kind === 'throw') throw new Error('out of cheese');
    if (task.kind === 'refuse') parentPort.postMessage({ id, code: 'invalid', message: 'no such thing' });
    if (task.kind === 'never') return;
    if (task.kind === 'spin') for (;;);
    if (task.kind === 'slow') setTimeout(() => parentPort.postMessage({ id, result: threadId }), 50);
    if (task.kind === 'answer') parentPort.postMessage({ id, result: threadId });
  });`
);
const pools: EnginePool[] = [];
const newPool = (threads: number) => {
  const pool = new EnginePool({ threads, script, wasm: '' });
  pools.push(pool);
  return pool;
};
const task = (kind: string) => ({ kind }) as unknown as EngineTask;
const never = new AbortController().signal;

afterAll(async () => {
  await Promise.all(pools.map(async pool => pool.dispose()));
  rmSync(folder, { recursive: true, force: true });
});

describe('the pool of threads', () => {
  it('rejects the task of a thread that dies, replaces the thread, and runs the waiting tasks', async () => {
    const pool = newPool(1);
    const dying = pool.run(task('die'), never);
    const waiting = pool.run(task('answer'), never);
    await expect(dying).rejects.toMatchObject({
      code: 'compute',
      message: expect.stringMatching(/thread of the engine died/)
    });
    const first = await waiting;
    await expect(pool.run(task('throw'), never)).rejects.toThrow(/out of cheese/);
    expect(await pool.run(task('answer'), never)).not.toBe(first);
  });

  it('passes on the error of a refused task, and keeps the thread', async () => {
    const pool = newPool(1);
    const before = await pool.run(task('answer'), never);
    await expect(pool.run(task('refuse'), never)).rejects.toMatchObject({ code: 'invalid', message: 'no such thing' });
    expect(await pool.run(task('answer'), never)).toBe(before);
  });

  it('rejects an aborted task even if the thread does not answer', async () => {
    const pool = newPool(2);
    const controller = new AbortController();
    const running = pool.run(task('never'), controller.signal);
    const queued = [task('never'), task('answer')].map(async one => pool.run(one, controller.signal));
    controller.abort();
    for (const one of [running, ...queued]) {
      await expect(one).rejects.toMatchObject({ code: 'cancelled' });
    }
    await expect(pool.run(task('answer'), controller.signal)).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('replaces a thread that does not stop a cancelled task, and keeps a thread that finishes it', async () => {
    const pool = newPool(1);
    const first = await pool.run(task('answer'), never);
    for (const [kind, same] of [
      ['slow', true],
      ['spin', false]
    ] as const) {
      const controller = new AbortController();
      const running = pool.run(task(kind), controller.signal);
      const waiting = pool.run(task('answer'), never);
      controller.abort();
      await expect(running).rejects.toMatchObject({ code: 'cancelled' });
      expect((await waiting) === first).toBe(same);
    }
  });

  it('runs urgent tasks before other waiting tasks, in order of arrival', async () => {
    const pool = newPool(1);
    const order: string[] = [];
    const run = async (name: string, kind: string, urgent: boolean) => {
      await pool.run(task(kind), never, { urgent });
      order.push(name);
    };
    await Promise.all([
      run('first', 'slow', false),
      run('late', 'answer', false),
      run('urgent', 'answer', true),
      run('urgent too', 'answer', true)
    ]);
    expect(order).toEqual(['first', 'urgent', 'urgent too', 'late']);
  });

  it('uses all its threads, and no more', async () => {
    const pool = newPool(3);
    const answers = await Promise.all(Array.from({ length: 30 }, async () => pool.run(task('answer'), never)));
    expect(new Set(answers).size).toBe(3);
  });

  it('cancels the rest of a batch when one task fails', async () => {
    const pool = newPool(1);
    const done: number[] = [];
    const batch = [task('answer'), task('refuse'), task('answer'), task('answer')];
    await expect(pool.runAll(batch, never, (_, i) => done.push(i))).rejects.toThrow('no such thing');
    await pool.run(task('answer'), never);
    expect(done).toEqual([0]);
  });

  it('rejects running and waiting tasks when it is disposed', async () => {
    const pool = newPool(1);
    const running = pool.run(task('never'), never);
    const queued = pool.run(task('answer'), never);
    const outcomes = Promise.allSettled([running, queued]);
    await pool.dispose();
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(pool.run(task('answer'), never)).rejects.toThrow(/shutting down/);
  });
});
