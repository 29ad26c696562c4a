/** The order of requests, and the start and end of workers; the UI tests run the real decoder. */
import { BridgeError } from '../../../shared/errors';
import { DEFAULT_MODEL } from '../../../shared/models';
import { IPrompts } from '../../../sam';
import { SuggestionDecoder } from '../decoder';
import { EMBEDDINGS_KEPT, EMBEDDINGS_PREPARED } from '../decoder-messages';
import { FakeWorker } from './fake-worker';

jest.mock('../decoder-worker-factory', () => ({
  createDecoderWorker: () => {
    throw new Error('These tests bring their own workers.');
  }
}));

const GRAPH = Uint8Array.of(1);
const SIZE = { rows: 10, columns: 10 };
const at = (column: number): IPrompts => ({ points: [{ row: 0, column, label: 1 }] });
const settle = () => new Promise(resolve => setTimeout(resolve, 0));
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fulfilled',
    (error: BridgeError) => error.code
  );

describe('SuggestionDecoder', () => {
  let workers: FakeWorker[];
  let decoder: SuggestionDecoder;
  const worker = () => workers[workers.length - 1]!;

  beforeEach(async () => {
    workers = [];
    decoder = new SuggestionDecoder({
      createWorker: () => {
        workers.push(new FakeWorker());
        return worker();
      }
    });
    await decoder.load(GRAPH, DEFAULT_MODEL);
    decoder.setEmbedding('a', new Uint8Array(4), SIZE);
  });
  afterEach(() => decoder.dispose());

  it('lets only the newest request wait while one is decoded', async () => {
    const first = decoder.suggest(at(1));
    await settle();
    const second = decoder.suggest(at(2));
    const third = decoder.suggest(at(3));
    await expect(codeOf(second)).resolves.toBe('cancelled');
    expect(worker().suggests.map(({ prompts }) => prompts.points[0]!.column)).toEqual([1]);
    worker().answer(worker().suggests[0]!);
    await expect(codeOf(first)).resolves.toBe('fulfilled');
    await settle();
    expect(worker().suggests.map(({ prompts }) => prompts.points[0]!.column)).toEqual([1, 3]);
    worker().answer(worker().suggests[1]!);
    await expect(third).resolves.toEqual(expect.objectContaining({ scores: [worker().suggests[1]!.id, 0, 0] }));
  });

  it('decodes every point that was clicked, in order and before what follows the mouse', async () => {
    const column = () => worker().suggests.map(({ prompts }) => prompts.points[0]!.column);
    const hover = decoder.suggest(at(1));
    await settle();
    const clicks = [decoder.suggest(at(2), undefined, true), decoder.suggest(at(3), undefined, true)];
    const moves = [decoder.suggest(at(4)), decoder.suggest(at(5))];
    await expect(codeOf(moves[0]!)).resolves.toBe('cancelled');
    for (let done = 0; done < 4; done++) {
      worker().answer(worker().suggests[done]!);
      await settle();
    }
    expect(column()).toEqual([1, 2, 3, 5]);
    const all = await Promise.all([hover, ...clicks, moves[1]!].map(codeOf));
    expect(all).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled']);
  });

  it('decodes a request that comes just when nothing else is left to do', async () => {
    worker().atOnce.push('suggest');
    for (let ticks = 0; ticks < 12; ticks++) {
      await decoder.suggest(at(1), undefined, true);
      for (let tick = 0; tick < ticks; tick++) {
        await Promise.resolve();
      }
    }
    expect(worker().suggests).toHaveLength(12);
  });

  it('drops a request that is aborted, whether it waits or is being decoded', async () => {
    const running = new AbortController();
    const waiting = new AbortController();
    const first = decoder.suggest(at(1), running.signal);
    await settle();
    const second = decoder.suggest(at(2), waiting.signal);
    waiting.abort();
    running.abort();
    await expect(codeOf(first)).resolves.toBe('cancelled');
    await expect(codeOf(second)).resolves.toBe('cancelled');
    worker().answer(worker().suggests[0]!);
    await settle();
    expect(worker().suggests).toHaveLength(1);
    await expect(codeOf(decoder.suggest(at(3), running.signal))).resolves.toBe('cancelled');
  });

  it('sends an embedding to the worker once, and again only after others have displaced it', async () => {
    const decode = async (key: string) => {
      expect(decoder.useEmbedding(key)).toBe(true);
      worker().atOnce.push('suggest');
      await decoder.suggest(at(1));
    };
    const sent = () => worker().embeddings.filter(key => key !== 'a');
    const set = (key: string) => decoder.setEmbedding(key, new Uint8Array(4), SIZE);
    const names = Array.from({ length: EMBEDDINGS_PREPARED }, (_, i) => `prepared ${i}`);
    names.forEach(set);
    for (const key of [...names, names[1]!, names[0]!]) {
      await decode(key);
    }
    expect(sent()).toEqual(names);
    set('one more');
    await decode('one more');
    await decode(names[0]!);
    expect(sent()).toEqual([...names, 'one more']);
    await decode(names[2]!); // the worker has displaced it, the page has not
    expect(sent()).toEqual([...names, 'one more', names[2]]);
    Array.from({ length: EMBEDDINGS_KEPT - 1 }, (_, i) => `kept ${i}`).forEach(set);
    expect(decoder.useEmbedding(names[0]!)).toBe(false);
    expect(decoder.useEmbedding(names[2]!)).toBe(true);
  });

  it('says that the worker died, and starts a new one at the next request', async () => {
    const first = decoder.suggest(at(1));
    await settle();
    const second = decoder.suggest(at(2));
    worker().die('out of memory');
    await expect(first).rejects.toThrow("The decoder's worker died (out of memory)");
    await expect(codeOf(second)).resolves.toBe('compute');
    expect(workers[0]!.terminated).toBe(true);
    const third = decoder.suggest(at(3));
    await settle();
    expect(workers).toHaveLength(2);
    expect(worker().got.map(({ kind }) => kind)).toEqual(['load', 'embedding', 'suggest']);
    worker().answer(worker().suggests[0]!);
    await expect(codeOf(third)).resolves.toBe('fulfilled');
  });

  it('passes on an error of the worker, and goes on', async () => {
    const first = decoder.suggest(at(1));
    await settle();
    worker().post({ kind: 'error', id: worker().suggests[0]!.id, message: 'point outside the image' });
    await expect(first).rejects.toEqual(
      expect.objectContaining({ code: 'compute', message: 'point outside the image' })
    );
    worker().atOnce.push('suggest');
    await expect(codeOf(decoder.suggest(at(2)))).resolves.toBe('fulfilled');
    expect(workers).toHaveLength(1);
  });

  it('says what is missing before the decoder and the embedding are there', async () => {
    const fresh = new SuggestionDecoder({ createWorker: () => new FakeWorker() });
    await expect(fresh.suggest(at(1))).rejects.toEqual(
      expect.objectContaining({ code: 'not-ready', message: expect.stringContaining('decoder') })
    );
    await fresh.load(GRAPH, DEFAULT_MODEL);
    await expect(fresh.suggest(at(1))).rejects.toEqual(
      expect.objectContaining({ code: 'not-ready', message: expect.stringContaining('embedding') })
    );
    fresh.dispose();
  });

  it('reports a graph that does not load, and can load another one', async () => {
    const broken = new FakeWorker();
    broken.atOnce = [];
    const spare = new FakeWorker();
    const queue = [broken, spare];
    const fresh = new SuggestionDecoder({ createWorker: () => queue.shift()! });
    const loading = fresh.load(GRAPH, DEFAULT_MODEL);
    broken.post({ kind: 'error', id: broken.got[0]!.id, message: 'protobuf parsing failed' });
    await expect(loading).rejects.toEqual(
      expect.objectContaining({ code: 'model', message: expect.stringContaining('protobuf parsing failed') })
    );
    expect(broken.terminated).toBe(true);
    fresh.setEmbedding('a', new Uint8Array(4), SIZE);
    await expect(codeOf(fresh.suggest(at(1)))).resolves.toBe('not-ready');
    await fresh.load(GRAPH, DEFAULT_MODEL);
    spare.atOnce.push('suggest');
    await expect(codeOf(fresh.suggest(at(1)))).resolves.toBe('fulfilled');
    fresh.dispose();
  });

  it('ends its worker and its requests when it is disposed', async () => {
    const first = decoder.suggest(at(1));
    await settle();
    decoder.dispose();
    await expect(codeOf(first)).resolves.toBe('cancelled');
    expect(worker().terminated).toBe(true);
    await expect(codeOf(decoder.suggest(at(2)))).resolves.toBe('cancelled');
    await expect(codeOf(decoder.load(GRAPH, DEFAULT_MODEL))).resolves.toBe('cancelled');
    expect(workers).toHaveLength(1);
  });

  it('decodes points ahead while nothing is asked for, and answers at once from them', async () => {
    const resting = new SuggestionDecoder({
      createWorker: () => {
        workers.push(new FakeWorker());
        return worker();
      },
      restMs: 20
    });
    await resting.load(GRAPH, DEFAULT_MODEL);
    resting.setEmbedding('a', new Uint8Array(4), { rows: 64, columns: 64 });
    await new Promise(resolve => setTimeout(resolve, 60));
    expect(worker().suggests).toHaveLength(0); // nobody has asked for a suggestion here
    worker().atOnce.push('suggest');
    await resting.suggest(at(1));
    expect(resting.first({ row: 0, column: 1 })).toBeNull();
    resting.mayDecodeAhead = false;
    await new Promise(resolve => setTimeout(resolve, 60));
    expect(worker().suggests).toHaveLength(1);
    resting.mayDecodeAhead = true;
    await new Promise(resolve => setTimeout(resolve, 60));
    const ahead = worker().suggests.slice(1);
    expect(ahead[0]!.prompts.points).toEqual([{ row: 4, column: 4, label: 1 }]); // nearest to what was asked for
    expect(ahead.length).toBeGreaterThan(63);
    resting.dispose();
  });

  it('decodes a request after the point that is decoded ahead, not after the whole grid', async () => {
    const resting = new SuggestionDecoder({
      createWorker: () => (workers.push(new FakeWorker()), worker()),
      restMs: 20
    });
    await resting.load(GRAPH, DEFAULT_MODEL);
    resting.setEmbedding('a', new Uint8Array(4), { rows: 64, columns: 64 });
    const first = resting.suggest(at(1));
    await settle();
    worker().answer(worker().suggests[0]!);
    await first;
    await new Promise(resolve => setTimeout(resolve, 60));
    expect(worker().suggests).toHaveLength(2);
    const second = resting.suggest(at(9));
    worker().answer(worker().suggests[1]!);
    await settle();
    expect(worker().suggests.map(({ prompts }) => prompts.points[0]!.column)).toEqual([1, 4, 9]);
    worker().answer(worker().suggests[2]!);
    await expect(codeOf(second)).resolves.toBe('fulfilled');
    resting.dispose();
  });
});
