import { Signal } from '@lumino/signaling';
import { BridgeClient, ITransport } from '../../../kernel-bridge';
import { encodeMessage, EventParams, Frames, IRequest, MessageAssembler, parseRequest } from '../../../shared';
import { FakeLink } from '../../base/__tests__/fake-link';
import { ClassifierFiles, FILE_BYTES_MAX, fileName } from '../classifier-files';

const session = '0123456789abcdef0123456789abcdef';
const tick = () => new Promise(resolve => setTimeout(resolve, 5));

class Wire implements ITransport {
  readonly received = new Signal<this, Frames>(this);
  readonly closed = new Signal<this, void>(this);
  readonly requests: (IRequest & { buffers: Uint8Array[] })[] = [];
  isDisposed = false;

  send(frames: Frames): void {
    const message = this._assembler.accept(frames);
    if (message) {
      this.requests.push({ ...parseRequest(message.header), buffers: message.buffers });
    }
  }

  answer(header: object, buffers: Uint8Array[] = []): void {
    encodeMessage(header, buffers).forEach(frames => this.received.emit(frames));
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
  const link = new FakeLink((method, params, options) => client.request(method as 'classifier.load', params, options));
  const files = new ClassifierFiles({ link });
  const file = (name: string, bytes: Uint8Array<ArrayBuffer>, size = bytes.length) => ({
    name,
    size,
    arrayBuffer: () => Promise.resolve(bytes.buffer)
  });
  const load = (name: string, bytes: Uint8Array<ArrayBuffer>, size?: number) => files.load(file(name, bytes, size));
  return { wire, link, files, load };
}

describe('ClassifierFiles', () => {
  it('saves under a file name made of the title', async () => {
    const { wire, files } = make();
    const saved = files.save('gold.tif', 'onnx');
    expect(files.state).toEqual({ state: 'saving' });
    expect(wire.requests[0]!.params).toEqual({ session, format: 'onnx' });
    const result = { mediaType: 'application/octet-stream', extension: '.onnx' };
    wire.answer({ re: wire.requests[0]!.id, result }, [Uint8Array.of(1, 2)]);
    expect(await saved).toEqual({ name: 'gold.onnx', mediaType: result.mediaType, bytes: Uint8Array.of(1, 2) });
    expect(files.state).toEqual({ state: 'idle' });
  });

  it('says so when it saves a file that is too large to load', async () => {
    const { wire, files } = make();
    const saved = files.save('gold', 'onnx');
    const result = { mediaType: 'application/octet-stream', extension: '.onnx' };
    wire.answer({ re: wire.requests[0]!.id, result }, [new Uint8Array(FILE_BYTES_MAX + 1)]);
    expect((await saved)!.bytes).toHaveLength(FILE_BYTES_MAX + 1);
    expect(files.state).toMatchObject({
      state: 'saved',
      message: expect.stringMatching(/“gold.onnx” has 65 MB.*64 MB/) as string
    });
  });

  it('says which features a format cannot express', async () => {
    const { wire, files } = make();
    const saved = files.save('gold', 'onnx');
    const error = { code: 'invalid', message: 'ONNX cannot express entropy.' };
    wire.answer({ re: wire.requests[0]!.id, error });
    expect(await saved).toBeNull();
    expect(files.state).toEqual({ state: 'failed', message: 'ONNX cannot express entropy.' });
    files.dismiss();
    expect(files.state).toEqual({ state: 'idle' });
  });

  it('asks the sidecar for its formats once, and again after a failure', async () => {
    const { wire, files } = make();
    const failed = files.fetchFormats();
    wire.answer({ re: wire.requests[0]!.id, error: { code: 'internal', message: 'No formats.' } });
    await failed;
    expect(files.state).toEqual({ state: 'failed', message: 'No formats.' });
    const format = { name: 'a', title: 'A', description: 'a file', extension: '.a', mediaType: 'x/a' };
    const fetched = files.fetchFormats();
    wire.answer({ re: wire.requests[1]!.id, result: { formats: [{ ...format, writes: true, reads: false }] } });
    await fetched;
    expect(files.formats.map(({ name }) => name)).toEqual(['a']);
    await files.fetchFormats();
    expect(wire.requests).toHaveLength(2);
  });

  it('loads one file at a time and shows the progress', async () => {
    const { wire, link, files, load } = make();
    void load('a.json', Uint8Array.of(123, 125));
    await tick();
    expect(await load('b.json', Uint8Array.of(1))).toBeNull();
    expect(wire.requests.map(({ method }) => method)).toEqual(['classifier.load']);
    expect(wire.requests[0]!.buffers).toEqual([Uint8Array.of(123, 125)]);
    const job = (id: string, done: number) =>
      link.tell('job', { session, job: id, kind: 'load', state: 'running', done, total: 4 } as EventParams<'job'>);
    job('of-python', 3);
    expect(files.state).toEqual({ state: 'loading', name: 'a.json', fraction: null });
    job(wire.requests[0]!.id, 1);
    expect(files.state).toEqual({ state: 'loading', name: 'a.json', fraction: 0.25 });
  });

  it('cancels loading', async () => {
    const { wire, files, load } = make();
    const loading = load('a.json', Uint8Array.of(123, 125));
    await tick();
    files.cancel();
    expect(await loading).toBeNull();
    expect(wire.requests.at(-1)).toMatchObject({ method: 'cancel', params: { id: wire.requests[0]!.id } });
    expect(files.state).toEqual({ state: 'idle' });
  });

  it('refuses too large and empty files without sending them, and says what to do', async () => {
    const { wire, files, load } = make();
    await load('big.onnx', Uint8Array.of(1), FILE_BYTES_MAX + 1);
    expect(files.state).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/“big.onnx” has 65 MB.*64 MB/) as string
    });
    await load('none.json', Uint8Array.of());
    expect(files.state).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/“none.json” is empty/) as string
    });
    expect(wire.requests).toEqual([]);
  });
});

describe('fileName', () => {
  it.each([
    ['superalloy 1/2: γ′.tiff', '.json', 'superalloy-1-2-γ.json'],
    ['../../etc/passwd', 'onnx', 'etc-passwd.onnx'],
    ['', '.json', 'classifier.json'],
    ['…', '.json', 'classifier.json']
  ])('makes a file name of %j that is valid on every system', (title, extension, expected) => {
    expect(fileName(title, extension)).toBe(expected);
  });
});
