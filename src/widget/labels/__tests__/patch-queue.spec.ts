import { BridgeError } from '../../../shared';
import { IMaskedPatch } from '../patches';
import { IPatchReply, Move, PatchQueue } from '../patch-queue';

const patch = (classId: number): IMaskedPatch => ({ slice: 0, classId, replaces: [0], tiles: [] });
const tick = () => new Promise(resolve => setTimeout(resolve, 0));

/** A sidecar that answers when it is told to. */
function makeQueue(retryMs = 5) {
  const asked: { patch: IMaskedPatch; resolve(reply: IPatchReply): void; reject(error: unknown): void }[] = [];
  const queue = new PatchQueue({
    send: one => new Promise((resolve, reject) => asked.push({ patch: one as IMaskedPatch, resolve, reject })),
    retryMs
  });
  return { queue, asked };
}

describe('PatchQueue', () => {
  it('sends the next patch without waiting for an answer, and reports answers in the order of the patches', async () => {
    const { queue, asked } = makeQueue();
    const told: number[] = [];
    let disordered = 0;
    queue.acknowledged.connect((_, { patch: { classId } }) => told.push(classId));
    queue.disordered.connect(() => disordered++);
    [1, 2, 3].forEach(id => queue.push(patch(id)));
    expect(asked.map(one => one.patch.classId)).toEqual([1, 2, 3]);
    asked[1]!.resolve({ version: 2, changed: 1 });
    await tick();
    expect(told).toEqual([]);
    expect(queue.waiting).toHaveLength(3);
    asked[0]!.resolve({ version: 1, changed: 1 });
    await tick();
    expect(told).toEqual([1, 2]);
    expect(queue.waiting.map(({ classId }) => classId)).toEqual([3]);
    expect(disordered).toBe(0);
    queue.dispose();
  });

  it('has at most 16 patches under way', async () => {
    const { queue, asked } = makeQueue();
    Array.from({ length: 40 }, (_, i) => queue.push(patch(i)));
    expect(asked).toHaveLength(16);
    asked[0]!.resolve({ version: 1, changed: 1 });
    asked[1]!.resolve({ version: 2, changed: 1 });
    await tick();
    expect(asked.map(one => one.patch.classId)).toEqual(Array.from({ length: 18 }, (_, i) => i));
    queue.dispose();
  });

  it('tells when the sidecar took a patch after a later one', async () => {
    const { queue, asked } = makeQueue();
    let disordered = 0;
    queue.disordered.connect(() => disordered++);
    queue.push(patch(1));
    queue.push(patch(2));
    asked[0]!.reject(new BridgeError('disk-full', 'No space is left.'));
    asked[1]!.resolve({ version: 1, changed: 1 });
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(queue.waiting).toHaveLength(2);
    expect(asked.map(one => one.patch.classId)).toEqual([1, 2, 1]);
    asked[2]!.resolve({ version: 2, changed: 1 });
    await queue.drained();
    expect(disordered).toBe(1);
    queue.dispose();
  });

  it('keeps a patch that the disk has no room for, says why, and sends it again before the others', async () => {
    const { queue, asked } = makeQueue();
    const versions: number[] = [];
    queue.acknowledged.connect((_, { reply }) => versions.push(reply.version));
    queue.push(patch(1));
    queue.push(patch(2));
    const full = new BridgeError('disk-full', 'No space is left.');
    asked.forEach(({ reject }) => reject(full));
    await tick();
    expect(queue.held?.message).toBe('No space is left.');
    expect(queue.waiting).toHaveLength(2);
    queue.push(patch(3));
    expect(asked).toHaveLength(2);
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(asked.map(one => one.patch.classId)).toEqual([1, 2, 1, 2, 3]);
    asked.slice(2).forEach(({ resolve }, i) => resolve({ version: i + 1, changed: 1 }));
    await queue.drained();
    expect(queue.held).toBeNull();
    expect(versions).toEqual([1, 2, 3]);
    queue.dispose();
  });

  it('drops a refused patch, tells so, and goes on', async () => {
    const { queue, asked } = makeQueue();
    const refused: string[] = [];
    queue.refused.connect((_, { error }) => refused.push(error.code));
    queue.push(patch(1));
    queue.push(patch(2));
    asked[0]!.reject(new BridgeError('invalid', 'slice 9 is outside'));
    await tick();
    expect(refused).toEqual(['invalid']);
    expect(asked.map(one => one.patch.classId)).toEqual([1, 2]);
    queue.dispose();
  });

  it('keeps patches while it is paused', async () => {
    const { queue, asked } = makeQueue();
    queue.paused = true;
    queue.push(patch(1));
    await tick();
    expect(asked).toHaveLength(0);
    queue.paused = false;
    await tick();
    expect(asked).toHaveLength(1);
    queue.dispose();
  });

  it('rejects the wait for an empty queue when it is aborted', async () => {
    const { queue } = makeQueue();
    queue.push(patch(1));
    const abort = new AbortController();
    const drained = queue.drained(abort.signal);
    abort.abort();
    await expect(drained).rejects.toMatchObject({ code: 'cancelled' });
    queue.dispose();
  });

  it('undoes a step after all patches before it were answered, and sends later ones after its answer', async () => {
    const asked: { work: IMaskedPatch | Move; resolve(reply: IPatchReply): void }[] = [];
    const queue = new PatchQueue({ send: work => new Promise(resolve => asked.push({ work, resolve })) });
    queue.push(patch(1));
    queue.push(patch(2));
    queue.push('undo');
    queue.push(patch(3));
    const names = () => asked.map(({ work }) => (typeof work === 'string' ? work : work.classId));
    expect(names()).toEqual([1, 2]);
    expect(queue.waiting.map(({ classId }) => classId)).toEqual([1, 2, 3]);
    asked[1]!.resolve({ version: 2, changed: 1 });
    await tick();
    expect(names()).toEqual([1, 2]);
    asked[0]!.resolve({ version: 1, changed: 1 });
    await tick();
    expect(names()).toEqual([1, 2, 'undo']);
    asked[2]!.resolve({ version: 3, changed: 1 });
    await tick();
    expect(names()).toEqual([1, 2, 'undo', 3]);
    queue.dispose();
  });
});
