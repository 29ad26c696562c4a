/** What is requested for a slice, and what is not; with the real decoder on a worker that answers at once. */
import { BridgeError, Contrast, DEFAULT_MODEL, Rect, SamDevice, zDecoderManifest } from '../../../shared';
import { IPrompts } from '../../../sam';
import { FakeLink } from '../../base/__tests__/fake-link';
import { SuggestionDecoder } from '../../decoder/decoder';
import { IDecoderWorker } from '../../decoder/worker-route';
import { EMBEDDINGS_KEPT, FromDecoderWorker, ToDecoderWorker } from '../../decoder/decoder-messages';
import { EmbeddingState, SliceEmbedding } from '../slice-embedding';

jest.mock('../../decoder/decoder-worker-factory', () => ({ createDecoderWorker: () => new ReadyWorker() }));

/** What the workers were asked. */
let asked: IPrompts[] = [];

class ReadyWorker implements IDecoderWorker {
  onmessage: ((event: MessageEvent<FromDecoderWorker>) => void) | null = null;
  onerror = null;
  onmessageerror = null;

  postMessage(message: ToDecoderWorker): void {
    const { id } = message;
    if (message.kind === 'suggest') {
      asked.push(message.prompts);
    }
    // The score tells which embedding the points were decoded on.
    const candidates = message.kind === 'suggest' && {
      lowRes: [],
      scores: [Number(message.key.split('/')[1])],
      single: null
    };
    const data: FromDecoderWorker = { kind: 'done', id, ...(candidates && { candidates }) };
    queueMicrotask(() => this.onmessage?.({ data } as MessageEvent<FromDecoderWorker>));
  }

  terminate(): void {
    this.onmessage = null;
  }
}

const device: SamDevice = { model: 'small', provider: 'cpu', adapter: null, note: '' };

describe('SliceEmbedding', () => {
  let requests: string[];
  let failure: BridgeError | null;
  let within: Rect;
  let embedding: SliceEmbedding;
  let states: string[];

  const link = new FakeLink(async (method, { slice }: { slice: number }) => {
    requests.push(method === 'sam.embedding' ? `embedding ${slice}` : method);
    if (failure) {
      throw failure;
    }
    return method === 'sam.decoder'
      ? {
          result: { manifest: zDecoderManifest.parse(DEFAULT_MODEL), digest: 'a'.repeat(64), bytes: 1 },
          buffers: [new Uint8Array(1)]
        }
      : {
          result: {
            device,
            seconds: slice + 1,
            shape: [1, 1, 1],
            within
          },
          buffers: [new Uint8Array(2)]
        };
  });
  /** The slice that suggestions are of. */
  const decoded = async () =>
    (
      await embedding.decoder!.suggest(
        { points: [{ row: 0, column: 0, label: 1 }] },
        new AbortController().signal,
        false
      )
    ).scores[0];

  beforeEach(() => {
    requests = [];
    failure = null;
    within = { row0: 0, row1: 4, column0: 0, column1: 4 };
    states = [];
    embedding = new SliceEmbedding({
      link,
      image: { rows: 8, columns: 8 },
      createDecoder: async () => new SuggestionDecoder()
    });
    embedding.changed.connect((_, { state }: EmbeddingState) => states.push(state));
  });
  afterEach(() => embedding.dispose());

  it('asks the decoder with rows and columns of the part that it sees', async () => {
    within = { row0: 10, row1: 20, column0: 30, column1: 60 };
    await embedding.prepare(0);
    asked = [];
    const mask = Float32Array.of(1, 2);
    const box = { row0: 11, row1: 13, column0: 32, column1: 35 };
    const prompts = { points: [{ row: 12, column: 33, label: 0 as const }], box, mask };
    await embedding.decoder!.suggest(prompts, new AbortController().signal, false);
    expect(asked).toEqual([
      { points: [{ row: 2, column: 3, label: 0 }], box: { row0: 1, row1: 3, column0: 2, column1: 5 }, mask }
    ]);
  });

  it('requests decoder and embedding again for another model, and keeps none of the one before', async () => {
    await embedding.prepare(0);
    await embedding.prepare(0, 0, { model: 'sam-vit-b' });
    expect(await decoded()).toBe(0);
    await embedding.prepare(0);
    expect(requests.filter(request => request === 'sam.decoder')).toHaveLength(3);
    expect(requests.filter(request => request === 'embedding 0')).toHaveLength(3);
  });

  it('requests the embedding again for another contrast, and has that of the one before still', async () => {
    const contrast = { low: 0, high: 9, gamma: 2, inverse: false, channels: [true, true, true] } satisfies Contrast;
    await embedding.prepare(0);
    await embedding.prepare(0, 0, { contrast });
    await embedding.prepare(0);
    await embedding.prepare(0, 0, { contrast: { ...contrast, inverse: true } });
    expect(requests.filter(request => request === 'embedding 0')).toHaveLength(3);
    expect(requests.filter(request => request === 'sam.decoder')).toHaveLength(1);
  });

  it('takes the model that was chosen last, though the decoder of the one before comes later', async () => {
    const first = embedding.prepare(0, 0, { model: 'sam-vit-b' });
    await Promise.all([first, embedding.prepare(1, 0, { model: 'sam2.1-tiny' })]);
    expect(embedding.state).toMatchObject({ state: 'ready', seconds: 2 });
    expect(await decoded()).toBe(1);
  });

  it('requests nothing for a slice that the decoder still has', async () => {
    await embedding.prepare(0);
    await embedding.prepare(1);
    expect([...requests].sort()).toEqual(['embedding 0', 'embedding 1', 'sam.decoder']);
    expect(await decoded()).toBe(1);
    requests = [];
    states = [];
    await embedding.prepare(0);
    expect(requests).toEqual([]);
    expect(states).toEqual(['ready']);
    expect(embedding.state).toEqual({ state: 'ready', device, seconds: 1 });
    expect(await decoded()).toBe(0);
  });

  it('has the next slices embedded, in the direction of travel, until the user goes elsewhere', async () => {
    let direction = 1;
    const signals: AbortSignal[] = [];
    const requested: number[][] = [];
    let done: () => void = () => undefined;
    const stack = new FakeLink((method, params, options) => {
      if (method !== 'sam.embed-slices') {
        return link.request(method, params, options);
      }
      requested.push((params as { slices: number[] }).slices);
      signals.push(options!.signal!);
      return new Promise(resolve => (done = () => resolve({ result: {}, buffers: [] })));
    });
    embedding.dispose();
    embedding = new SliceEmbedding({
      link: stack,
      image: { rows: 8, columns: 8 },
      upcoming: slice => [1, 2, 3].map(i => slice + i * direction),
      createDecoder: async () => new SuggestionDecoder()
    });
    await embedding.prepare(10);
    expect(requested).toEqual([[11, 12]]);
    await embedding.prepare(11); // on the way: only what is not asked for yet
    expect(requested.slice(1)).toEqual([[13]]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    await embedding.prepare(40);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false]);
    expect(requested.slice(2)).toEqual([[41, 42]]);
    done();
    direction = -1;
    await embedding.prepare(42);
    expect(requested.slice(3)).toEqual([]); // 41 and 40 are there
    await embedding.prepare(12);
    expect(requested.slice(3)).toEqual([]); // so are 11 and 10
    await embedding.prepare(9);
    expect(requested.slice(3)).toEqual([[8, 7]]);
    embedding.dispose();
    expect(signals[3]!.aborted).toBe(true);
  });

  it('requests a slice again that newer ones have displaced', async () => {
    for (let slice = 0; slice <= EMBEDDINGS_KEPT; slice++) {
      await embedding.prepare(slice);
    }
    requests = [];
    await embedding.prepare(0);
    await embedding.prepare(3);
    expect(requests).toEqual(['embedding 0']);
    expect(await decoded()).toBe(3);
  });

  it('waits without a connection, shows other errors, and requests the slice again', async () => {
    failure = new BridgeError('disconnected', 'gone');
    await embedding.prepare(0);
    expect(embedding.state).toEqual({ state: 'waiting' });
    failure = new BridgeError('compute', 'SAM died');
    await embedding.prepare(0);
    expect(embedding.state).toEqual({ state: 'failed', message: 'SAM died', code: 'compute' });
    expect(embedding.decoder).toBeNull();
    failure = null;
    await embedding.prepare(0);
    expect(await decoded()).toBe(0);
  });

  it('requests nothing for a slice that is left before the user has rested on it', async () => {
    const left = embedding.prepare(0, 60_000);
    await embedding.prepare(1, 1);
    await left;
    expect([...requests].sort()).toEqual(['embedding 1', 'sam.decoder']);
  });

  it('tells how many slices are embedded ahead', async () => {
    await embedding.prepare(0);
    const job = { session: link.session, job: 'a', kind: 'embed' as const, state: 'running' as const, message: '' };
    link.tell('job', { ...job, stage: 'slices', done: 1, total: 4 });
    expect([embedding.closer, embedding.embedsSlices]).toEqual([0.25, true]);
    expect(embedding.state.state).toBe('ready');
    link.tell('job', { ...job, state: 'done', stage: 'slices', done: 4, total: 4 });
    expect([embedding.closer, embedding.embedsSlices]).toEqual([null, false]);
  });

  it('drops a slice when another one is requested', async () => {
    const first = embedding.prepare(0);
    await Promise.all([first, embedding.prepare(1)]);
    expect(embedding.state).toEqual({ state: 'ready', device, seconds: 2 });
    expect(await decoded()).toBe(1);
    expect(requests.filter(method => method === 'sam.decoder')).toHaveLength(1);
  });
});
