import { Signal } from '@lumino/signaling';
import { BridgeClient, ITransport } from '../client';
import { BridgeError } from '../../shared/errors';
import { SIDECARS_MAX } from '../../shared/limits';
import { encodeMessage, Frames, IMessage, MessageAssembler } from '../../shared/frames';
import { parseRequest } from '../../shared/protocol';

/** A transport whose other end is the test: it loses what it is told to lose. */
class Wire implements ITransport {
  readonly received = new Signal<this, Frames>(this);
  readonly closed = new Signal<this, void>(this);
  readonly requests: IMessage[] = [];
  isDisposed = false;
  lose = 0;
  answer: (message: IMessage) => void = () => undefined;

  send(frames: Frames): void {
    const message = this._assembler.accept(frames);
    if (!message) {
      return;
    }
    this.requests.push(message);
    if (this.lose > 0) {
      this.lose--;
      return;
    }
    this.answer(message);
  }

  reply(header: object, buffers: Uint8Array[] = []): void {
    encodeMessage(header, buffers).forEach(frames => this.received.emit(frames));
  }

  dispose(): void {
    this.isDisposed = true;
  }

  private readonly _assembler = new MessageAssembler();
}

const clients: BridgeClient[] = [];

// Also after a failure: their timers would keep the test run from ending.
afterEach(() => clients.splice(0).forEach(client => client.dispose()));

function make(retryMs = 20): { wire: Wire; client: BridgeClient } {
  const wire = new Wire();
  const client = new BridgeClient({ transport: wire, retryMs });
  clients.push(client);
  return { wire, client };
}

const session = 'ab'.repeat(16);

describe('BridgeClient', () => {
  it('resolves a request with its checked result and buffers', async () => {
    const { wire, client } = make();
    wire.answer = ({ header }) =>
      wire.reply({ re: header['id'], result: { rows: 1, columns: 2, channels: 1, dtype: 'uint8' } }, [
        new Uint8Array([5, 6])
      ]);
    const params = { session, slice: 0, level: 0, row: 0, column: 0 };
    const { result, buffers } = await client.request('image.tile', params);
    expect(result.columns).toBe(2);
    expect([...buffers[0]!]).toEqual([5, 6]);
    expect(parseRequest(wire.requests[0]!.header).params).toEqual(params);
    client.dispose();
  });

  it('sends a lost request again under the same id until it is answered', async () => {
    const { wire, client } = make();
    wire.lose = 2;
    wire.answer = ({ header }) => wire.reply({ re: header['id'], result: {} });
    await client.request('ping', {});
    expect(wire.requests).toHaveLength(3);
    expect(new Set(wire.requests.map(({ header }) => header['id'])).size).toBe(1);
    expect(client.pending).toBe(0);
    client.dispose();
  });

  it('waits longer before it sends a large request again', async () => {
    const { wire, client } = make();
    wire.answer = () => undefined;
    const large = new Uint8Array(60_000_000);
    void client.request('ping', {}).catch(() => undefined);
    void client.request('classifier.read', {}, { buffers: [large] }).catch(() => undefined);
    while (wire.requests.filter(({ header }) => header['method'] === 'ping').length < 3) {
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    expect(wire.requests.filter(({ header }) => header['method'] === 'classifier.read')).toHaveLength(1);
    client.dispose();
  });

  it('ignores a second answer to the same request', async () => {
    const { wire, client } = make();
    const misunderstood: string[] = [];
    client.misunderstood.connect((_, error) => misunderstood.push(error.message));
    wire.answer = ({ header }) => {
      wire.reply({ re: header['id'], result: {} });
      wire.reply({ re: header['id'], error: { code: 'internal', message: 'late' } });
    };
    await expect(client.request('ping', {})).resolves.toBeDefined();
    expect(misunderstood).toEqual([]);
    client.dispose();
  });

  it('rejects with the error that the sidecar names', async () => {
    const { wire, client } = make();
    wire.answer = ({ header }) =>
      wire.reply({ re: header['id'], error: { code: 'not-ready', message: 'No pixel is labelled.' } });
    await expect(client.request('train', { session })).rejects.toMatchObject({
      code: 'not-ready',
      message: 'No pixel is labelled.'
    });
    client.dispose();
  });

  it('says what to do where page and sidecar are of different versions: they do not know a reply or a request of the other', async () => {
    const { wire, client } = make();
    wire.answer = ({ header }) => wire.reply({ re: header['id'], result: { rows: -1 } });
    const params = { session, slice: 0, level: 0, row: 0, column: 0 };
    const text = /^This page and SambaLab’s sidecar are of different versions\. Restart the kernel, reload the page/;
    const older = client.request('image.tile', params);
    await expect(older).rejects.toMatchObject({ code: 'malformed', message: expect.stringMatching(text) as string });
    await expect(older).rejects.toThrow(/\(reply to image\.tile: .*rows/);
    wire.answer = ({ header }) =>
      wire.reply({ re: header['id'], error: { code: 'unknown-method', message: 'There is no method "image.tile".' } });
    await expect(client.request('image.tile', params)).rejects.toThrow(text);
    client.dispose();
  });

  it('cancels at the sidecar when the signal aborts, and rejects at once', async () => {
    const { wire, client } = make(10000);
    const controller = new AbortController();
    const training = client.request('train', { session }, { signal: controller.signal });
    controller.abort();
    await expect(training).rejects.toMatchObject({ code: 'cancelled' });
    expect(wire.requests[1]!.header).toMatchObject({
      method: 'cancel',
      params: { id: wire.requests[0]!.header['id'] }
    });
    client.dispose();
  });

  it('emits events, ignores unknown ones and reports malformed messages', () => {
    const { wire, client } = make();
    const events: string[] = [];
    const misunderstood: BridgeError[] = [];
    client.event.connect((_, { event }) => void events.push(event.event));
    client.misunderstood.connect((_, error) => void misunderstood.push(error));
    wire.reply({ event: 'labels', params: { session, version: 3 } });
    wire.reply({ event: 'from-the-future', params: {} });
    wire.reply({ event: 'labels', params: { session, version: 'three' } });
    wire.received.emit([new Uint8Array([1, 2, 3])]);
    expect(events).toEqual(['labels']);
    expect(misunderstood.map(error => error.code)).toEqual(['malformed', 'malformed']);
    client.dispose();
  });

  it('sends all unanswered requests again on resend', () => {
    const { wire, client } = make(10000);
    void client.request('ping', {}).catch(() => undefined);
    void client.request('status', {}).catch(() => undefined);
    client.resend();
    expect(wire.requests.map(({ header }) => header['method'])).toEqual(['ping', 'status', 'ping', 'status']);
    client.dispose();
  });

  it('gives up a request that saw three sidecars go, as Python does, and keeps the later ones', async () => {
    const { wire, client } = make(10000);
    const relay = (state: string) => wire.reply({ event: 'relay', params: { state, message: '' } });
    const sentBy = (method: string) => wire.requests.filter(({ header }) => header['method'] === method);
    const settled = () => new Promise(resolve => setTimeout(resolve, 0));
    let failure: unknown;
    void client.request('train', { session }).catch(error => (failure = error));
    let later: Promise<unknown> = Promise.resolve();
    for (let n = 1; n <= SIDECARS_MAX; n++) {
      await settled();
      expect([failure, sentBy('train').length]).toEqual([undefined, n]);
      relay('lost');
      relay('failed'); // a relay that finds no sidecar at first says so: no other one went away
      if (n === 1) {
        later = client.request('ping', {});
        later.catch(() => undefined);
      }
      relay('connected');
      client.resend();
    }
    await settled();
    expect(failure).toMatchObject({
      code: 'disconnected',
      message: "SambaLab's sidecar went away 3 times during this request (train). The sidecar's log may say why."
    });
    expect(sentBy('train')).toHaveLength(SIDECARS_MAX);
    expect(client.pending).toBe(1);
    wire.reply({ re: sentBy('ping')[0]!.header['id'], result: {} });
    await later;
    client.dispose();
  });

  it('rejects waiting requests when the transport closes, and every later request', async () => {
    const { wire, client } = make();
    const waiting = client.request('ping', {});
    wire.closed.emit(undefined);
    await expect(waiting).rejects.toMatchObject({ code: 'disconnected' });
    await expect(client.request('ping', {})).rejects.toMatchObject({ code: 'disconnected' });
    expect(wire.isDisposed).toBe(true);
  });
});
