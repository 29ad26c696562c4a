import { Signal } from '@lumino/signaling';
import { BridgeClient, ITransport } from '../../../kernel-bridge';
import { encodeMessage, EventParams, Frames, IRequest, MessageAssembler, parseRequest } from '../../../shared';
import { FakeLink } from '../../base/__tests__/fake-link';
import { PatchQueue } from '../../labels/patch-queue';
import { Training } from '../training';

const tick = () => new Promise(resolve => setTimeout(resolve, 0));

class Wire implements ITransport {
  readonly received = new Signal<this, Frames>(this);
  readonly closed = new Signal<this, void>(this);
  readonly requests: IRequest[] = [];
  isDisposed = false;

  send(frames: Frames): void {
    const message = this._assembler.accept(frames);
    if (message) {
      this.requests.push(parseRequest(message.header));
    }
  }

  refuse(re: string, code: string, message: string): void {
    encodeMessage({ re, error: { code, message } }).forEach(frames => this.received.emit(frames));
  }

  dispose(): void {
    this.isDisposed = true;
  }

  private readonly _assembler = new MessageAssembler();
}

const clients: BridgeClient[] = [];
afterEach(() => clients.splice(0).forEach(client => client.dispose()));

function make() {
  const wire = new Wire();
  const client = new BridgeClient({ transport: wire });
  clients.push(client);
  const queue = new PatchQueue({ send: () => Promise.reject(new Error('nothing was drawn')) });
  const link = new FakeLink((method, params, options) => client.request(method as 'train', params, options));
  const training = new Training({ link });
  const job = (id: string, values: Partial<EventParams<'job'>> = {}): void =>
    link.tell('job', {
      session: link.session,
      job: id,
      kind: 'train',
      state: 'running',
      stage: 'growing trees',
      done: 1,
      total: 4,
      message: '',
      ...values
    });
  const start = async () => {
    const result = training.start(queue);
    await tick();
    return { result, id: wire.requests.filter(({ method }) => method === 'train').pop()!.id };
  };
  return { wire, training, job, start };
}

describe('Training', () => {
  it('shows its own training while one of Python runs first, and tells the two apart', async () => {
    const { training, job, start } = make();
    job('python', { done: 3 });
    expect(training.state).toMatchObject({ state: 'running', own: false, fraction: 0.75 });
    const { id } = await start();
    job(id, { stage: 'waiting', done: 0 });
    job('python', { done: 4 });
    expect(training.state).toMatchObject({ own: true, stage: 'waiting', fraction: 0 });
    job('python', { state: 'done' });
    expect(training.state).toMatchObject({ own: true });
    job(id, { done: 2 });
    expect(training.state).toMatchObject({ own: true, fraction: 0.5 });
  });

  it('is not idle while another training still runs', async () => {
    const { training, job } = make();
    job('a', { stage: 'waiting' });
    job('b');
    job('b', { state: 'done' });
    expect(training.state).toMatchObject({ state: 'running', stage: 'waiting' });
    job('a', { state: 'cancelled' });
    expect(training.state).toEqual({ state: 'idle' });
  });

  it('cancels its own training first, then the other', async () => {
    const { wire, training, job, start } = make();
    job('python');
    const { result, id } = await start();
    await training.cancel();
    await expect(result).resolves.toBeNull();
    const cancelled = () => wire.requests.flatMap(one => (one.method === 'cancel' ? [one.params] : []));
    expect(cancelled()).toEqual([{ id }]);
    job(id, { done: 2 }); // it still cleans up
    expect(training.state).toMatchObject({ state: 'running', own: false, fraction: 0.25 });
    void training.cancel().catch(() => undefined);
    expect(cancelled()).toEqual([{ id }, { id: 'python' }]);
  });

  it('cancels a training that ran before the page was loaded', () => {
    const { wire, training, job } = make();
    job('before');
    void training.cancel().catch(() => undefined);
    expect(wire.requests.map(({ method, params }) => [method, params])).toEqual([['cancel', { id: 'before' }]]);
  });

  it('shows why a training failed until it is dismissed or a new one begins', async () => {
    const { wire, training, job, start } = make();
    const fail = async () => {
      const { result, id } = await start();
      job(id, { state: 'failed', message: 'no' });
      wire.refuse(id, 'invalid', 'Label two classes.');
      await result;
      expect(training.state).toEqual({ state: 'failed', message: 'Label two classes.' });
    };
    await fail();
    training.dismiss();
    expect(training.state).toEqual({ state: 'idle' });
    await fail();
    job('other');
    job('other', { state: 'done' });
    expect(training.state).toEqual({ state: 'idle' });
  });
});
