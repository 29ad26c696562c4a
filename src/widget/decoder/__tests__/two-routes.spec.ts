/** The page's worker and the sidecar behind one decoder: each answers when the test says so. */
import { deflateRawSync } from 'node:zlib';
import { BridgeError } from '../../../shared/errors';
import { DEFAULT_MODEL } from '../../../shared/models';
import { IPrompts, packLogits } from '../../../sam';
import { FakeLink } from '../../base/__tests__/fake-link';
import { SuggestionDecoder } from '../decoder';
import { RouteChoice } from '../route-choice';
import { FakeWorker } from './fake-worker';

jest.mock('../decoder-worker-factory', () => ({
  createDecoderWorker: () => {
    throw new Error('These tests bring their own workers.');
  }
}));

interface IRequest {
  params: { session: string; slice: number; embedding: string; points: object[]; box?: object };
  signal: AbortSignal;
  answer(score?: number, prepared?: boolean): void;
  fail(code: BridgeError['code'], message?: string): void;
}

const NAME = 'e'.repeat(64);
const SIZE = { rows: 64, columns: 64 };
const at = (column: number): IPrompts => ({ points: [{ row: 0, column, label: 1 }] });
const rest = (milliseconds = 0) => new Promise(resolve => setTimeout(resolve, milliseconds));
const MASK = new Float32Array(DEFAULT_MODEL.decoder.maskSize ** 2).fill(-2);
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fulfilled',
    (error: BridgeError) => error.code
  );

/** Gives a silent sidecar up soon. */
class Impatient extends RouteChoice {
  override limit(): number {
    return 30;
  }
}

describe('SuggestionDecoder with two routes', () => {
  let workers: FakeWorker[];
  let asked: IRequest[];
  let isConnected: boolean;
  let answersAtOnce: boolean;
  let decoder: SuggestionDecoder;
  const worker = () => workers[workers.length - 1]!;
  const prompted = () => asked.filter(({ params }) => params.points.length > 0);
  const columns = () => prompted().map(({ params }) => (params.points[0] as { column: number }).column);
  const pageColumns = () => worker().suggests.map(({ prompts }) => prompts.points[0]!.column);

  const link = new FakeLink(
    (method, params: IRequest['params'], options) =>
      new Promise((resolve, reject) => {
        expect(method).toBe('sam.decode');
        const { signal } = options!;
        signal!.addEventListener('abort', () => reject(new BridgeError('cancelled', 'cancelled')));
        const answer = (score = 0.5, prepared = true) => {
          const isEmpty = params.points.length === 0;
          const masks = [new Float32Array(MASK.length).fill(score), MASK, MASK, MASK];
          const buffers = isEmpty ? [] : [new Uint8Array(deflateRawSync(packLogits(masks)))];
          const scores = isEmpty ? [] : [score, 0, 0];
          resolve({ result: { scores, single: isEmpty ? null : 0, prepared }, buffers });
        };
        const fail: IRequest['fail'] = (code, message = 'the test says so') => reject(new BridgeError(code, message));
        asked.push({ params, signal: signal!, answer, fail });
        if (params.points.length === 0 || answersAtOnce) {
          answer();
        }
      })
  );

  const open = async (options: SuggestionDecoder.IOptions = {}) => {
    decoder = new SuggestionDecoder({
      createWorker: () => (workers.push(new FakeWorker()), worker()),
      sidecar: { link, isConnected: () => isConnected },
      restMs: 20,
      ...options
    });
    await decoder.load(Uint8Array.of(1), DEFAULT_MODEL);
    decoder.setEmbedding('a', new Uint8Array(4), SIZE, { slice: 3, embedding: NAME });
    await rest();
  };

  beforeEach(() => {
    [workers, asked, isConnected, answersAtOnce] = [[], [], true, false];
  });
  afterEach(() => decoder.dispose());

  it('takes the answer of the sidecar when the worker dies, for the request in its hands and for those that wait', async () => {
    await open();
    const first = decoder.suggest(at(1));
    await rest();
    const second = decoder.suggest(at(2));
    worker().die('out of memory');
    await rest();
    expect(asked[0]!.params).toEqual({ session: link.session, slice: 3, embedding: NAME, ...at(1) });
    asked[0]!.answer(0.75);
    const { lowRes, scores, single } = await first;
    expect([scores, single!.score, lowRes.length, single!.lowRes.length]).toEqual([[0.75, 0, 0], 0, 3, MASK.length]);
    expect(lowRes[0]![0]).toBeCloseTo(0.75, 1);
    await rest();
    expect(columns()).toEqual([1, 2]);
    asked[1]!.answer();
    await expect(codeOf(second)).resolves.toBe('fulfilled');
    expect(decoder.routes).toMatchObject({
      serving: 'sidecar',
      problems: { page: expect.stringContaining('out of memory') }
    });
  });

  it('serves from the sidecar where the page cannot load the decoder', async () => {
    const broken = new FakeWorker();
    broken.atOnce = [];
    decoder = new SuggestionDecoder({ createWorker: () => broken, sidecar: { link, isConnected: () => true } });
    const loading = decoder.load(Uint8Array.of(1), DEFAULT_MODEL);
    broken.post({ kind: 'error', id: broken.got[0]!.id, message: 'WebAssembly is not allowed here' });
    await loading;
    decoder.setEmbedding('a', new Uint8Array(4), SIZE, { slice: 0, embedding: NAME });
    const found = decoder.suggest(at(1));
    await rest();
    prompted()[0]!.answer();
    await expect(codeOf(found)).resolves.toBe('fulfilled');
    expect(decoder.routes.problems.page).toContain('WebAssembly is not allowed here');
  });

  it('takes the answer of the page when the sidecar fails, and asks the page alone for a while', async () => {
    await open({ route: 'sidecar' });
    const first = decoder.suggest(at(1));
    await rest();
    prompted()[0]!.fail('compute', 'the thread died');
    await rest();
    worker().answer(worker().suggests[0]!);
    await expect(codeOf(first)).resolves.toBe('fulfilled');
    expect(decoder.routes.problems.sidecar).toBe('the thread died');
    const second = decoder.suggest(at(2));
    await rest();
    worker().answer(worker().suggests[1]!);
    await expect(codeOf(second)).resolves.toBe('fulfilled');
    expect(columns()).toEqual([1]);
  });

  it('gives up a sidecar that is silent, cancels the request, and shows nothing of an answer that comes late', async () => {
    await open({ choice: new Impatient({ forced: 'sidecar' }) });
    const found = decoder.suggest(at(1));
    await rest(60);
    expect(prompted()[0]!.signal.aborted).toBe(true);
    prompted()[0]!.answer(0.9);
    worker().answer(worker().suggests[0]!);
    expect((await found).scores).toEqual([worker().suggests[0]!.id, 0, 0]);
    expect(decoder.routes.problems.sidecar).toBe('The sidecar gave no answer in 30 ms.');
  });

  it('reports the error of the page when both fail, and leaves neither out', async () => {
    await open({ route: 'sidecar' });
    const found = decoder.suggest(at(1));
    await rest();
    prompted()[0]!.fail('invalid', 'the point is outside');
    await rest();
    worker().post({ kind: 'error', id: worker().suggests[0]!.id, message: 'point outside the image' });
    await expect(found).rejects.toMatchObject({ code: 'compute', message: 'point outside the image' });
    expect(decoder.routes.problems).toEqual({ page: null, sidecar: null, gpu: null });
  });

  it('lets the newest request win in the sidecar too, and cancels what is aborted', async () => {
    await open({ route: 'sidecar' });
    const leaving = new AbortController();
    const first = decoder.suggest(at(1), leaving.signal);
    await rest();
    const second = decoder.suggest(at(2));
    const third = decoder.suggest(at(3));
    await expect(codeOf(second)).resolves.toBe('cancelled');
    expect(columns()).toEqual([1]); // one at a time
    leaving.abort();
    await expect(codeOf(first)).resolves.toBe('cancelled');
    await rest();
    expect(prompted()[0]!.signal.aborted).toBe(true);
    expect(columns()).toEqual([1, 3]);
    expect(worker().suggests).toHaveLength(0);
    prompted()[1]!.answer();
    await expect(codeOf(third)).resolves.toBe('fulfilled');
  });

  it('keeps to the page for prompts with a mask, without a connection, and for an embedding that the sidecar does not have', async () => {
    await open({ route: 'sidecar' });
    worker().atOnce.push('suggest');
    await decoder.suggest({ ...at(1), mask: MASK }, undefined, true);
    isConnected = false;
    await decoder.suggest(at(2));
    isConnected = true;
    const found = decoder.suggest(at(3));
    await rest();
    prompted()[0]!.fail('not-ready');
    await found;
    await decoder.suggest(at(4));
    expect(columns()).toEqual([3]);
    expect(pageColumns()).toEqual([1, 2, 3, 4]);
    expect(decoder.routes.problems.sidecar).toBeNull();
    decoder.setEmbedding('b', new Uint8Array(4), SIZE); // no name: the sidecar was not asked for it
    await decoder.suggest(at(5));
    expect(pageColumns()).toEqual([1, 2, 3, 4, 5]);
  });

  it('tries the sidecar with points ahead while requests go on in the page, and moves to it if it is faster', async () => {
    await open();
    // So slow that nothing is decoded ahead in the page.
    const slow = async (column: number) => {
      const found = decoder.suggest(at(column));
      await rest(150);
      worker().answer(worker().suggests[worker().suggests.length - 1]!);
      await found;
    };
    for (const column of [1, 2, 3]) {
      await slow(column);
    }
    await rest(40);
    expect(prompted()).toHaveLength(1);
    await slow(5); // it does not wait for the trial
    expect(prompted()).toHaveLength(1);
    expect(pageColumns()).toEqual([1, 2, 3, 5]);
    for (let i = 0; i < 3; i++) {
      prompted()[i]!.answer(0.5, i > 0); // at first it had to prepare the embedding: that time does not count
      for (let waited = 0; waited < 200 && prompted().length < i + 2; waited++) {
        await rest(10);
      }
    }
    expect(decoder.routes).toMatchObject({ serving: 'page', medians: { page: expect.any(Number), sidecar: null } });
    answersAtOnce = true;
    prompted()[3]!.answer();
    for (let waited = 0; waited < 200 && decoder.routes.serving === 'page'; waited++) {
      await rest(10);
    }
    expect(decoder.routes.serving).toBe('sidecar');
    expect(prompted().length).toBeGreaterThanOrEqual(4);
    await expect(codeOf(decoder.suggest(at(6)))).resolves.toBe('fulfilled');
    expect(pageColumns().slice(0, 4)).toEqual([1, 2, 3, 5]);
    expect(pageColumns()).not.toContain(6); // but points ahead may try the page again
  });

  it('never tries the sidecar if the page alone is to decode', async () => {
    await open({ route: 'page' });
    worker().atOnce.push('suggest');
    await decoder.suggest(at(1));
    await rest(60);
    expect(worker().suggests.length).toBeGreaterThan(20);
    expect(asked).toEqual([]);
  });
});
