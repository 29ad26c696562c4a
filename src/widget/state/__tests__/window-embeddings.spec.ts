/** Which windows are requested for a view, and which of them answers prompts. */
import { BridgeError, DEFAULT_MODEL, Rect, SamDevice, zDecoderManifest } from '../../../shared';
import { ICandidates, IPrompts } from '../../../sam';
import { FakeLink } from '../../base/__tests__/fake-link';
import { ISuggestionDecoder } from '../suggestion-decoder';
import { IPointDecoder } from '../suggestions';
import { SliceEmbedding } from '../slice-embedding';
import { PAGE_ALONE } from './fake-sidecar';

const device: SamDevice = { model: 'small', provider: 'cpu', adapter: null, note: '' };
const WHOLE: Rect = { row0: 0, row1: 4000, column0: 0, column1: 6000 };
/** A view at which windows have 1024 pixels. */
const VIEW: Rect = { row0: 1000, row1: 1600, column0: 2000, column1: 2900 };
const MIDDLE = { row: 1300, column: 2450 };

interface IRequest {
  slice: number;
  window: Rect | undefined;
  ahead: boolean | undefined;
  signal: AbortSignal;
  answer(): void;
  fail(error: BridgeError): void;
}

const turn = () => new Promise(resolve => setTimeout(resolve, 1));

describe('WindowEmbeddings', () => {
  let requests: IRequest[];
  let embedding: SliceEmbedding;
  let current: string;
  let improved: number;
  let decoder: ISuggestionDecoder;
  let kept: Set<string>;
  /** What was decoded on which embedding. */
  let decoded: { key: string; prompts: IPrompts }[];

  const link = new FakeLink((method, params: { slice: number; window?: Rect; ahead?: boolean }, options) => {
    if (method === 'sam.decoder') {
      const manifest = zDecoderManifest.parse(DEFAULT_MODEL);
      return Promise.resolve({ result: { manifest, digest: 'a'.repeat(64), bytes: 1 }, buffers: [new Uint8Array(1)] });
    }
    return new Promise((resolve, reject) => {
      const { slice, window, ahead } = params;
      const result = { device, seconds: 1, shape: [1, 1, 1], within: window ?? WHOLE };
      const answer = () => resolve({ result, buffers: [Uint8Array.of(slice)] });
      requests.push({ slice, window, ahead, signal: options!.signal!, answer, fail: reject });
      options!.signal!.addEventListener('abort', () => reject(new BridgeError('cancelled', 'cancelled')));
    });
  });
  const windows = () => requests.filter(({ window }) => window);
  const last = () => requests[requests.length - 1]!;
  /** Answer the last request, and wait for the next one. */
  const answer = async () => {
    last().answer();
    await turn();
  };
  const at = (row: number, column: number): IPrompts => ({ points: [{ row, column, label: 1 }] });
  const serving = (prompts: IPrompts): IPointDecoder => embedding.decoder!.serving!(prompts);
  const ask = (prompts: IPrompts, urgent = false, signal = new AbortController().signal) =>
    serving(prompts).suggest(prompts, signal, urgent);
  const prepare = async (slice = 0) => {
    const ready = embedding.prepare(slice);
    last().answer();
    await ready;
    await turn();
  };

  beforeEach(() => {
    [requests, decoded, improved, kept] = [[], [], 0, new Set()];
    embedding = new SliceEmbedding({
      link,
      image: { rows: 4000, columns: 6000 },
      restMs: 0,
      retryMs: 50,
      createDecoder: async () =>
        (decoder = {
          load: () => Promise.resolve(),
          setEmbedding: key => void kept.add((current = key)),
          useEmbedding: key => kept.has(key) && ((current = key), true),
          embedding: () => null,
          first: () => null,
          mayDecodeAhead: true,
          routes: PAGE_ALONE,
          suggest: async prompts => {
            decoded.push({ key: current, prompts });
            return { lowRes: [], scores: [decoded.length], single: null } as ICandidates;
          },
          isDisposed: false,
          dispose: () => undefined
        })
    });
    embedding.improved.connect(() => improved++);
  });
  afterEach(() => embedding.dispose());

  it('requests none for a view of the whole image', async () => {
    await prepare();
    embedding.show(WHOLE);
    await turn();
    expect(windows()).toEqual([]);
    await ask(at(7, 8));
    expect(decoded.map(({ prompts }) => prompts.points[0])).toEqual([{ row: 7, column: 8, label: 1 }]);
    expect(embedding.looking).toBe(false);
  });

  it('requests one after the other: at the pointer, in view, beside the view', async () => {
    await prepare();
    embedding.show(VIEW);
    await turn();
    expect(windows().map(({ window }) => window)).toEqual([{ row0: 1024, row1: 2048, column0: 2048, column1: 3072 }]);
    void ask(at(1010, 2010)).catch(() => undefined);
    await answer();
    expect(last().window).toEqual({ row0: 512, row1: 1536, column0: 1536, column1: 2560 });
    for (let i = 0; i < 20; i++) {
      await answer();
    }
    const asked = windows().map(({ window }) => JSON.stringify(window));
    expect(new Set(asked).size).toBe(asked.length);
    // Three windows a side have centres nearest to pixels of the view down, and three across; four more lie beside it.
    expect(asked).toHaveLength(2 * 3 + 4);
    expect(embedding.looking).toBe(false);
  });

  it('leaves the cores to the encoder: no points are decoded ahead until the windows are there', async () => {
    await prepare();
    expect(decoder.mayDecodeAhead).toBe(true);
    embedding.show(VIEW);
    await turn();
    expect(decoder.mayDecodeAhead).toBe(false);
    for (let i = 0; i < 20 && !decoder.mayDecodeAhead; i++) {
      await answer();
    }
    expect(decoder.mayDecodeAhead).toBe(true);
    expect(windows()).toHaveLength(10);
    embedding.show({ row0: 3000, row1: 3600, column0: 4000, column1: 4900 });
    await turn();
    expect(decoder.mayDecodeAhead).toBe(false);
    void embedding.prepare(1).catch(() => undefined);
    expect(decoder.mayDecodeAhead).toBe(true);
  });

  it('tells of a better window when the view zooms in under a pointer that rests', async () => {
    await prepare();
    embedding.show({ row0: 500, row1: 2500, column0: 1200, column1: 3200 });
    await turn();
    await answer();
    await ask(at(1300, 2450));
    expect(improved).toBe(0);
    embedding.show({ row0: 1200, row1: 1400, column0: 2350, column1: 2550 });
    await turn();
    for (let i = 0; i < 30 && improved === 0; i++) {
      await answer();
    }
    expect(improved).toBe(1);
    await ask(at(1300, 2450));
    expect(decoded[decoded.length - 1]!.key).toMatch(
      /1280-1536,2304-2560|1152-1408,2304-2560|1152-1408,2432-2688|1280-1536,2432-2688/
    );
    // Back and in again: the window is there already.
    embedding.show({ row0: 500, row1: 2500, column0: 1200, column1: 3200 });
    embedding.show({ row0: 1200, row1: 1400, column0: 2350, column1: 2550 });
    expect(improved).toBeGreaterThan(1);
  });

  it("answers at a pixel with its window, in the window's rows and columns", async () => {
    await prepare();
    embedding.show(VIEW);
    await turn();
    await answer();
    const decoder = serving(at(1300, 2450));
    expect(decoder.within).toEqual({ row0: 1024, row1: 2048, column0: 2048, column1: 3072 });
    const box = { row0: 1200, row1: 1400, column0: 2400, column1: 2500 };
    await decoder.suggest({ ...at(1300, 2450), box }, new AbortController().signal, false);
    expect(decoded).toEqual([
      {
        key: expect.stringContaining('1024-2048'),
        prompts: {
          points: [{ row: 276, column: 402, label: 1 }],
          box: { row0: 176, row1: 376, column0: 352, column1: 452 },
          mask: undefined
        }
      }
    ]);
    // No window holds both points.
    const far = { points: [...at(1300, 2450).points, { row: 3000, column: 2450, label: 0 as const }] };
    expect(serving(far).within).toEqual(WHOLE);
  });

  it('waits for the window where the whole image is too coarse, and says so; of hovers only the last waits', async () => {
    await prepare();
    embedding.show(VIEW);
    await turn();
    expect(embedding.looking).toBe(true);
    const hovers = [ask(at(1300, 2450)), ask(at(1301, 2450))];
    const click = ask(at(1302, 2450), true);
    await expect(hovers[0]).rejects.toMatchObject({ code: 'cancelled' });
    expect(decoded).toEqual([]);
    await answer();
    await Promise.all([hovers[1], click]);
    expect(decoded.map(({ prompts }) => prompts.points[0]!.row)).toEqual([1301 - 1024, 1302 - 1024]);
    expect(improved).toBe(0);
  });

  it('answers from the whole image meanwhile if that is not much coarser, then tells of the window', async () => {
    await prepare();
    embedding.show({ row0: 0, row1: 1200, column0: 0, column1: 1800 }); // windows of 2048 pixels
    await turn();
    await ask(at(600, 900));
    expect(embedding.looking).toBe(false);
    expect(decoded[0]!.prompts.points[0]).toEqual({ row: 600, column: 900, label: 1 });
    expect(improved).toBe(0);
    await answer();
    expect(improved).toBe(1);
    expect(serving(at(600, 900)).within).toEqual({ row0: 0, row1: 2048, column0: 0, column1: 2048 });
  });

  it('sees more around what a window cuts: in a larger window, which is requested then, or in the whole image', async () => {
    await prepare();
    embedding.show(VIEW);
    await turn();
    await answer();
    const narrow = serving(at(1300, 2450));
    expect(narrow.part).toBeCloseTo(1024 ** 2 / (4000 * 6000));
    expect(narrow.wider!({ row0: 1100, row1: 2000, column0: 2100, column1: 3000 })).toBeNull();
    const cut = { row0: 1100, row1: 2048, column0: 2100, column1: 3000 };
    const wider = narrow.wider!(cut)!;
    expect(wider.within).toEqual({ row0: 1024, row1: 3072, column0: 1024, column1: 3072 });
    const asked = wider.suggest(at(1300, 2450), new AbortController().signal, false);
    await answer(); // of the window that was on its way
    expect(last()).toMatchObject({ window: wider.within, ahead: false });
    await answer();
    await asked;
    expect(decoded[0]!.key).toContain('1024-3072');
    expect(decoded[0]!.prompts.points[0]).toEqual({ row: 276, column: 1426, label: 1 });
    // It is there now, and the whole image is only twice as coarse again.
    expect(narrow.wider!(cut)!.within).toEqual(wider.within);
    const whole = wider.wider!({ row0: 1024, row1: 3072, column0: 1100, column1: 3000 })!;
    expect(whole.within).toEqual(WHOLE);
    expect(whole.wider!(WHOLE)).toBeNull();
    expect(whole.part).toBeUndefined();
    // The image's own border cuts nothing.
    embedding.show({ row0: 0, row1: 600, column0: 0, column1: 900 });
    await turn();
    await answer();
    expect(serving(at(5, 5)).wider!({ row0: 0, row1: 600, column0: 0, column1: 700 })).toBeNull();
    // When the view has another size, what follows the pointer waits no more. A click does.
    const left = serving(at(5, 5)).wider!({ row0: 0, row1: 1024, column0: 0, column1: 700 })!;
    const hover = left.suggest(at(5, 5), new AbortController().signal, false);
    const click = left.suggest(at(6, 6), new AbortController().signal, true);
    embedding.show(WHOLE);
    await expect(hover).rejects.toMatchObject({ code: 'cancelled' });
    for (let i = 0; i < 3; i++) {
      await answer();
    }
    await click;
    expect(decoded[decoded.length - 1]).toMatchObject({ key: expect.stringContaining('0-2048,0-2048') });
  });

  it('drops the windows of a view that was left, also the one that is being made', async () => {
    await prepare();
    embedding.show(VIEW);
    await turn();
    embedding.show({ row0: 3000, row1: 3600, column0: 4000, column1: 4900 });
    await turn();
    expect(windows()).toHaveLength(2);
    expect(windows()[0]!.signal.aborted).toBe(true);
    expect(last()).toMatchObject({ window: { row0: 2976, row1: 4000, column0: 4096, column1: 5120 }, ahead: false });
    await answer();
    expect(last().window!.row0).toBeGreaterThan(2000); // the next one in view
    // Another size.
    embedding.show({ row0: 3200, row1: 3300, column0: 4300, column1: 4450 });
    await turn();
    expect(windows()[2]!.signal.aborted).toBe(true);
    expect(last().window!.row1 - last().window!.row0).toBe(256);
  });

  it('finishes the window that is being made if the view still shows it, or needs no other one', async () => {
    await prepare();
    embedding.show(VIEW);
    await turn();
    embedding.show({ row0: 1100, row1: 1700, column0: 2100, column1: 3000 });
    await turn();
    embedding.show(WHOLE);
    await turn();
    expect(windows()).toHaveLength(1);
    expect(windows()[0]!.signal.aborted).toBe(false);
    await answer();
    expect(windows()).toHaveLength(1);
    embedding.show(VIEW);
    await turn();
    expect(serving(at(MIDDLE.row, MIDDLE.column)).within!.row0).toBe(1024); // the first one is kept
  });

  it('requests windows beside the view as less urgent, and drops such a one for one in view', async () => {
    await prepare();
    embedding.show(VIEW);
    await turn();
    for (let i = 0; i < 20 && !last().ahead; i++) {
      await answer();
    }
    expect(windows().map(({ ahead }) => ahead)).toEqual([...Array<boolean>(6).fill(false), true]);
    embedding.show({ row0: 3000, row1: 3600, column0: 4000, column1: 4900 });
    await turn();
    expect(windows()[6]!.signal.aborted).toBe(true);
    expect(last()).toMatchObject({ ahead: false, window: { row0: 2976 } });
  });

  it('answers from the whole image where a window failed', async () => {
    await prepare();
    embedding.show(VIEW);
    await turn();
    const hover = ask(at(1300, 2450));
    last().fail(new BridgeError('compute', 'SAM died'));
    await expect(hover).rejects.toMatchObject({ code: 'compute' });
    await ask(at(1300, 2450));
    expect(decoded[0]!.prompts.points[0]).toEqual({ row: 1300, column: 2450, label: 1 });
    expect(embedding.looking).toBe(false);
    embedding.attached(); // the connection is back
    expect(embedding.looking).toBe(true);
  });

  it('requests a window that failed again after a while, and tells when it is there', async () => {
    await prepare();
    embedding.show(VIEW);
    await turn();
    const hover = ask(at(1300, 2450));
    last().fail(new BridgeError('not-ready', 'the sidecar begins'));
    await expect(hover).rejects.toMatchObject({ code: 'not-ready' });
    await ask(at(1300, 2450));
    const { window } = windows()[0]!;
    const again = () => windows().filter(each => JSON.stringify(each.window) === JSON.stringify(window));
    while (again().length < 2) {
      if (!last().signal.aborted) {
        last().answer(); // of the other windows
      }
      await turn();
    }
    again()[1]!.answer();
    await turn();
    expect(improved).toBe(1);
    expect(serving(at(1300, 2450)).within).toEqual(window);
  });

  it('never answers on another slice, however quickly slices change', async () => {
    const answers: Promise<unknown>[] = [];
    embedding.show(VIEW);
    for (let slice = 0; slice < 50; slice++) {
      void embedding.prepare(slice);
      if (slice % 3 === 0) {
        last().answer();
        await turn();
      }
      const decoder = embedding.decoder;
      if (decoder) {
        answers.push(ask(at(1300, 2450), slice % 2 === 0).catch((error: BridgeError) => error.code));
      }
    }
    const ready = embedding.prepare(49);
    requests.forEach(request => request.answer()); // also those that were cancelled
    await ready;
    await turn();
    const end = ask(at(1300, 2450));
    requests.forEach(request => request.answer());
    expect((await end).scores).toEqual([1]);
    expect(decoded[0]!.key.split('/')[1]).toBe('49');
    expect(windows().filter(({ slice, signal }) => slice !== 49 && !signal.aborted)).toEqual([]);
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['cancelled']));
    expect(decoded).toHaveLength(1);
  });

  it('requests no more when the labeller is closed', async () => {
    await prepare();
    embedding.show(VIEW);
    await turn();
    const hover = ask(at(1300, 2450));
    embedding.dispose();
    await expect(hover).rejects.toMatchObject({ code: 'cancelled' });
    expect(last().signal.aborted).toBe(true);
  });
});
