/** Whole embeddings and maps of sessions: shared, kept, found again, tried again; and one run of the encoder for both. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IEmbeddingBasis } from '../../../../engine/core/embedding';
import type { Contrast } from '../../../../src/shared/contrast';
import { BridgeError } from '../../../../src/shared/errors';
import type { EmbeddingSpec } from '../../../../src/shared/features';
import { ArrayStore } from '../../arrays/array-store';
import { ComputeJobs } from '../../learning/compute-jobs';
import { ICall } from '../../transport/dispatcher';
import { Peers } from '../../transport/peers';
import { EncoderResults } from '../encoder-results';
import { IArrival } from '../slice-embeddings';
import { IJobContext } from '../../jobs/job-context';
import { ISamService } from '../../jobs/services';
import { Jobs } from '../../jobs/jobs';
import { JobState } from '../../jobs/reporter';
import { TileCache } from '../../arrays/pyramid';
import { TileFile } from '../../arrays/tile-file';
import { Session } from '../../session/session';
import { Sessions } from '../../session/sessions';
import { CLASSES, halves, rectangle } from '../../__tests__/support/images';
import { until } from '../../__tests__/support/sam-fixture';
import { EngineService } from '../../__tests__/support/small-engine';
import { SmallSam } from '../../__tests__/support/small-sam';

const SIDE = 128;
const spec: EmbeddingSpec = { model: 'small', window: null, views: 1, layers: [{ layer: 'output', components: 1 }] };

/** One component, whose value is the slice minus the basis's mean; each basis that is fitted has another mean. */
class LayeredSam extends SmallSam {
  /** Slices in the order in which they were reduced, and whether a basis was given. */
  readonly runs: { slice: number; given: boolean; window: number | null }[] = [];
  /** How urgent the embeddings and reductions were, in their order. */
  readonly urgencies: (string | undefined)[] = [];
  /** The contrast of each embedding for prompts. */
  readonly seen: object[] = [];
  /** Windows that were reduced. */
  windows = 0;
  /** Why the next reductions fail. */
  readonly failures: BridgeError[] = [];
  /** Reductions wait here after they have sent the whole embedding. */
  late: Promise<void> | undefined;
  private _fitted = 0;

  override async embed(...args: Parameters<ISamService['embed']>): ReturnType<ISamService['embed']> {
    this.urgencies.push(args[3].urgency);
    this.seen.push(args[1]);
    return super.embed(...args);
  }

  override async reduce(...args: Parameters<ISamService['reduce']>): ReturnType<ISamService['reduce']> {
    const [image, , slice, { window }, given, windows, context, both] = args;
    this.urgencies.push(context.urgency);
    context.progress('encoding', 0, 1);
    this.runs.push({ slice, given: given !== null, window });
    this.windows += windows.length;
    await Promise.race([this.gate, stopped(context)]);
    const failure = this.failures.shift();
    if (failure || context.signal.aborted) {
      throw failure ?? new BridgeError('cancelled', 'stopped');
    }
    const whole = window === Math.max(image.shape[1]!, image.shape[2]!);
    const embedding = whole ? new Float32Array(256 * 64 * 64).fill(slice + 0.25) : null;
    if (embedding) {
      this.seen.push(...(both ? [both.contrast] : []));
      both?.take({ embedding, device: this.device, seconds: 0.5 });
    }
    await Promise.race([this.late, stopped(context)]);
    const basis = given ?? this._fit();
    const value = slice - basis.layers[0]!.mean[0]!;
    const reduced = windows.map(() => [new Float32Array(64 * 64).fill(value)]);
    return { basis, windows: reduced, embedding, device: this.device, seconds: 1 };
  }

  private _fit(): IEmbeddingBasis {
    const mean = Float32Array.of(++this._fitted / 8);
    const layer = { layer: 'output', channels: 1, components: 1, mean, matrix: Float32Array.of(1) };
    return { ...this.encoder, layers: [layer] };
  }
}

function stopped({ signal }: IJobContext): Promise<void> {
  return new Promise(resolve => signal.addEventListener('abort', () => resolve()));
}

function gate(): { shut: Promise<void>; open(): void } {
  let open!: () => void;
  const shut = new Promise<void>(resolve => (open = resolve));
  return { shut, open };
}

function calm(signal = new AbortController().signal): IJobContext {
  return { signal, progress: () => undefined };
}

const turn = () => new Promise(resolve => setImmediate(resolve));

describe('SliceEmbeddings', () => {
  let base: string;
  let sam: LayeredSam;
  let sessions: Sessions;
  let compute: ComputeJobs;
  let store: ArrayStore;
  let told: JobState[];
  let kept: EncoderResults;
  const arrivals: IArrival[] = [];

  /** Make everything anew, as a sidecar that starts. */
  function start(): void {
    store = new ArrayStore([{ directory: join(base, 'arrays'), memory: false }]);
    const arraysOf = (id: string) => id;
    sessions = new Sessions(base, { store, arraysOf, tiles: new TileCache(), changed: () => undefined });
    told = [];
    const jobs = new Jobs(state => told.push(state));
    compute = new ComputeJobs({
      engine: new EngineService(),
      sam,
      store,
      jobs,
      peers: new Peers({ send: async () => undefined, gone: () => undefined, silenceMs: 60000 }),
      kept: (kept = new EncoderResults({ directory: join(base, 'kept') }))
    });
    arrivals.length = 0;
    compute.embeddings.arrived.add(arrival => arrivals.push(arrival));
  }

  async function openSession(
    slices = 3,
    features: object = { families: {}, embedding: spec },
    side = SIDE
  ): Promise<Session> {
    const { info, pixels } = halves(slices, side, side);
    const params = { key: 'image', title: '', image: info, classes: CLASSES, keepClasses: false, fresh: false };
    const session = await sessions.open(params, false);
    writeFileSync(session.array('image')!.path, pixels, { flag: 'r+' });
    await session.imageIsReady();
    await session.choose({ features: features as never });
    return session;
  }

  const call = (signal = new AbortController().signal) => ({ id: 'call', signal, buffers: [] }) as unknown as ICall;
  const value = async (session: Session, slice: number, basis?: IEmbeddingBasis) => {
    const image = await compute.embeddings.maps(session, spec, basis, calm(), slice);
    return (await image.slice(slice, calm()))[0]!.data[0];
  };

  beforeEach(() => {
    jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    base = mkdtempSync(join(tmpdir(), 'sl-'));
    sam = new LayeredSam({ path: '', digest: createHash('sha256').digest('hex'), bytes: 0 });
    start();
  });

  afterEach(async () => {
    await kept.write('the last one', { arrays: [], about: null });
    await sessions.close();
    rmSync(base, { recursive: true, force: true });
    jest.restoreAllMocks();
  });

  it('fits one basis to the first slice, and makes the maps of the others under it', async () => {
    const session = await openSession();
    expect(compute.embeddings.ready(session, 1, spec)).toBe(false);
    expect([await value(session, 1), await value(session, 0), await value(session, 1)]).toEqual([0.875, -0.125, 0.875]);
    expect(sam.runs).toEqual([
      { slice: 1, given: false, window: SIDE },
      { slice: 0, given: true, window: SIDE }
    ]);
    expect([0, 1, 2].map(slice => compute.embeddings.ready(session, slice, spec))).toEqual([true, true, false]);
    expect(arrivals.map(({ slice, error }) => [slice, error])).toEqual([
      [1, null],
      [0, null]
    ]);
  });

  it('shares one run between callers of the same slice, and fits one basis for several slices', async () => {
    const session = await openSession();
    const { shut, open } = gate();
    sam.gate = shut;
    const all = Promise.all([0, 1, 1, 2, 0].map(slice => value(session, slice)));
    await turn();
    open();
    expect(await all).toEqual([0, 1, 1, 2, 0].map(slice => slice - 0.125));
    const runs = sam.runs.map(({ slice, given }) => [slice, given] as const); // the later two in any order
    expect(runs.sort(([a], [b]) => a - b)).toEqual([
      [0, false],
      [1, true],
      [2, true]
    ]);
  });

  it('encodes a slice of a handed-over image once for all its tiles', async () => {
    const session = await openSession();
    const { basis } = await compute.embeddings.maps(session, spec);
    const { display } = session.record.image;
    const image = compute.embeddings.arrayMaps(session.image, display, undefined, spec, basis);
    sam.runs.length = 0;
    const seen = [];
    for (const slice of [0, 1]) {
      const together = await Promise.all([image.slice(slice, calm()), image.slice(slice, calm())]);
      seen.push(...[...together, await image.slice(slice, calm())].map(maps => maps[0]!.data[0]));
    }
    expect(seen).toEqual([-0.125, -0.125, -0.125, 0.875, 0.875, 0.875]);
    expect(sam.runs.map(({ slice }) => slice)).toEqual([0, 1]);
    // Another object may be for another image under the same path.
    await compute.embeddings.arrayMaps(session.image, display, undefined, spec, basis).slice(1, calm());
    expect(sam.runs.map(({ slice }) => slice)).toEqual([0, 1, 1]);
  });

  it('goes on while a caller waits, and stops when the last one has cancelled', async () => {
    const session = await openSession();
    const { shut, open } = gate();
    const { basis } = await compute.embeddings.maps(session, spec);
    sam.gate = shut;
    const image = await compute.embeddings.maps(session, spec, basis);
    const [first, second] = [new AbortController(), new AbortController()];
    const slow = image.slice(2, calm(first.signal));
    const other = image.slice(2, calm(second.signal));
    await turn();
    first.abort();
    await expect(slow).rejects.toMatchObject({ code: 'cancelled' });
    open();
    expect((await other)[0]!.data[0]).toBe(1.875);
    sam.gate = new Promise(() => undefined);
    const third = new AbortController();
    const alone = image.slice(1, calm(third.signal));
    await turn();
    third.abort();
    await expect(alone).rejects.toMatchObject({ code: 'cancelled' });
    sam.gate = undefined;
    expect((await image.slice(1, calm()))[0]!.data[0]).toBe(0.875);
    // Cancelled work is not a failure.
    expect(arrivals.filter(({ error }) => error)).toEqual([]);
  });

  it('reads its basis from the folder after the sidecar restarted, unless the model or the image is another one', async () => {
    let session = await openSession();
    await value(session, 2);
    const path = join(session.folder, 'embedding-basis.json');
    const kept = readFileSync(path, 'utf8');
    const again = async () => {
      await sessions.close();
      start();
      session = await openSession();
      sam.runs.length = 0;
      rmSync(join(base, 'kept'), { recursive: true, force: true });
      const seen = await value(session, 2);
      return [seen, sam.runs[0]!.given];
    };
    expect(await again()).toEqual([1.875, true]);
    sam.encoder = { model: 'small', digest: 'b'.repeat(64) };
    expect(await again()).toEqual([1.75, false]);
    writeFileSync(path, kept.replace(/"mean":\[[^\]]*\]/, '"mean":[1,2]'));
    expect(await again()).toEqual([1.625, false]);
    writeFileSync(path, '{');
    expect(await again()).toEqual([1.5, false]);
    const other = { ...JSON.parse(readFileSync(path, 'utf8')), image: 'c'.repeat(64) };
    writeFileSync(path, JSON.stringify(other));
    expect(await again()).toEqual([1.375, false]);
  });

  it('makes maps under the basis of a classifier, apart from those under its own', async () => {
    const session = await openSession();
    const own = await compute.embeddings.maps(session, spec);
    const layer = { ...own.basis.layers[0]!, mean: Float32Array.of(-10) };
    const foreign = { ...own.basis, layers: [layer] };
    expect(await value(session, 1, foreign)).toBe(11);
    expect(await value(session, 1)).toBe(0.875);
    expect(compute.embeddings.ready(session, 1, spec, foreign)).toBe(true);
    expect(compute.embeddings.ready(session, 2, spec, foreign)).toBe(false);
  });

  it('forgets the maps of an image that was replaced, and discards late results', async () => {
    const session = await openSession();
    await value(session, 0);
    const { shut, open } = gate();
    sam.gate = shut;
    const late = value(session, 1);
    await turn();
    const { info } = halves(4, SIDE, SIDE);
    const params = { key: 'image', title: '', image: info, classes: CLASSES, keepClasses: false, fresh: false };
    await sessions.open(params, false);
    await session.imageIsReady();
    open();
    await expect(late).rejects.toMatchObject({ code: 'cancelled' });
    sam.gate = undefined;
    expect([0, 1].map(slice => compute.embeddings.ready(session, slice, spec))).toEqual([false, false]);
    expect(await value(session, 0)).toBe(-0.25);
  });

  it('keeps maps within bounds, but always the latest', async () => {
    const session = await openSession();
    const { SliceEmbeddings } = await import('../slice-embeddings');
    const few = new SliceEmbeddings({ sam, jobs: new Jobs(() => undefined), store, cacheBytes: 40_000 }); // two slices
    const image = await few.maps(session, spec, undefined, calm(), 0);
    for (const slice of [1, 0, 2]) {
      await image.slice(slice, calm());
    }
    expect([0, 1, 2].map(slice => few.ready(session, slice, spec))).toEqual([true, false, true]);
    const none = new SliceEmbeddings({ sam, jobs: new Jobs(() => undefined), store, cacheBytes: 1 });
    await (await none.maps(session, spec, image.basis)).slice(1, calm());
    expect(none.ready(session, 1, spec, image.basis)).toBe(true);
  });

  describe('in the background', () => {
    it('tells of a failure, and tries again only when asked or after a while', async () => {
      const session = await openSession();
      const { embeddings } = compute;
      sam.failures.push(new BridgeError('compute', 'The SAM process died.'));
      const arrived = new Promise<IArrival>(resolve => embeddings.arrived.add(resolve));
      embeddings.prefetch(session, 0);
      embeddings.prefetch(session, 0);
      expect((await arrived).error).toMatchObject({ code: 'compute' });
      expect(embeddings.failure(session, 0, spec)).toMatchObject({ code: 'compute' });
      embeddings.prefetch(session, 0);
      await turn();
      expect(sam.runs).toHaveLength(1);
      expect(told.map(({ kind, state }) => `${kind} ${state}`)).toContain('embed failed');
      expect(await value(session, 0)).toBe(-0.125);
      expect(embeddings.failure(session, 0, spec)).toBeNull();
      expect(arrivals.map(({ error }) => error?.code)).toEqual(['compute', undefined]);
    });

    it('makes of a shown slice of many windows those that any training needs once it has labels, and all when they are asked for', async () => {
      const session = await openSession(1, { families: {}, embedding: { ...spec, window: 128 } }, 900);
      const { embeddings } = compute;
      const ended = () => told.filter(({ kind, state }) => kind === 'embed' && state === 'done').length;
      const jobs = (number: number) => until(`${number} jobs have ended`, () => ended() >= number);
      await embeddings.whole(session, 0, call());
      await jobs(1);
      expect([sam.embedded, sam.windows]).toEqual([1, 0]);
      const { patch, buffers } = rectangle(session.id, CLASSES[0]!.id, { rows: [0, 9], columns: [0, 9] });
      await session.labels.patch('some', patch, buffers);
      await jobs(2);
      expect([sam.embedded, sam.windows]).toEqual([1, 9]);
      await session.labels.patch('more', patch, buffers);
      await embeddings.whole(session, 0, call());
      await turn();
      expect(ended()).toBe(2); // no job, since the windows are there
      expect(sam.windows).toBe(9);
      embeddings.prefetch(session, 0);
      await jobs(3);
      expect(sam.windows).toBeGreaterThan(60);
      expect(embeddings.ready(session, 0, { ...spec, window: 128 })).toBe(true);
    });

    it('makes nothing for a choice without an embedding', async () => {
      const session = await openSession(1, { families: {} });
      compute.embeddings.prefetch(session, 0);
      await turn();
      expect(sam.runs).toEqual([]);
      await compute.embeddings.whole(session, 0, call());
      expect(sam.runs).toEqual([]);
      expect(sam.embedded).toBe(1);
    });
  });

  describe('and sam.embed', () => {
    it('share one run of the encoder, and the embedding does not wait for the maps', async () => {
      const session = await openSession();
      const { shut, open } = gate();
      sam.late = shut;
      const read = jest.spyOn(TileFile.prototype, 'readBytes');
      const { embedding, seconds } = await compute.embeddings.whole(session, 1, call());
      expect([seconds, embedding[0]]).toEqual([0.5, 1.25]);
      expect(read).not.toHaveBeenCalled(); // it is handed on in memory
      const { path } = session.array('embedding')!;
      expect(new Float32Array(new Uint8Array(readFileSync(path)).buffer, 4 * 256 * 64 * 64, 1)[0]).toBe(1.25);
      expect(compute.embeddings.ready(session, 1, spec)).toBe(false);
      const arrived = new Promise<IArrival>(resolve => compute.embeddings.arrived.add(resolve));
      open();
      expect(await arrived).toMatchObject({ slice: 1, error: null });
      expect(compute.embeddings.ready(session, 1, spec)).toBe(true);
      expect([sam.embedded, sam.runs.length]).toEqual([0, 1]);
    });

    it('say which slices and windows a user looks at, and which are ahead', async () => {
      const session = await openSession(4);
      await compute.embeddings.whole(session, 0, call()); // fits the basis
      await compute.embeddings.whole(session, 1, call());
      const window = { row0: 0, row1: 64, column0: 0, column1: 64 };
      await compute.embeddings.window(session, 0, window, call());
      expect(sam.urgencies).toEqual(['now', 'now', 'now']);
      await compute.embeddings.slices(session, [2], false, call());
      await compute.embeddings.window(session, 1, window, { ...call(), urgency: 'ahead' });
      expect(sam.urgencies.slice(3)).toEqual([undefined, 'ahead']);
      compute.embeddings.prefetch(session, 3);
      await new Promise<void>(resolve => compute.embeddings.arrived.add(({ slice }) => slice === 3 && resolve()));
      expect(sam.urgencies.slice(5)).toEqual([undefined]);
    });

    it('are both served by a training that started earlier', async () => {
      const session = await openSession();
      await value(session, 0);
      // The whole embedding may still be being written to the session's array.
      expect((await compute.embeddings.whole(session, 0, call())).seconds).toBe(0.5);
      expect([sam.embedded, sam.runs.length]).toEqual([0, 1]);
    });

    it('need two runs if the window is not the image; the whole embedding comes first', async () => {
      const windowed = { ...spec, window: 192 };
      const session = await openSession(1, { families: {}, embedding: windowed });
      const arrived = new Promise<IArrival>(resolve => compute.embeddings.arrived.add(resolve));
      expect((await compute.embeddings.whole(session, 0, call())).seconds).toBe(0.25);
      expect(await arrived).toMatchObject({ slice: 0, error: null });
      expect([sam.embedded, sam.runs.length]).toEqual([1, 1]);
      expect(compute.embeddings.ready(session, 0, windowed)).toBe(true);
    });

    it('fail apart: without maps there is still the whole embedding', async () => {
      const session = await openSession();
      sam.failures.push(new BridgeError('model', 'The model here has no such layer.'));
      expect((await compute.embeddings.whole(session, 0, call())).seconds).toBe(0.25);
      expect(arrivals.map(({ error }) => error?.code)).toEqual(['model']);
      // The next request for the maps succeeds.
      expect(await value(session, 0)).toBe(-0.125);
    });

    it('stop together when the caller cancels, and keep nothing', async () => {
      const session = await openSession();
      sam.gate = new Promise(() => undefined);
      const abort = new AbortController();
      const embedding = compute.embeddings.whole(session, 0, call(abort.signal));
      while (sam.runs.length === 0) {
        await turn();
      }
      abort.abort();
      await expect(embedding).rejects.toMatchObject({ code: 'cancelled' });
      await turn();
      expect(existsSync(join(session.folder, 'embedding-basis.json'))).toBe(false);
      expect(session.record.embeddings).toEqual({});
      sam.gate = undefined;
      expect((await compute.embeddings.whole(session, 0, call())).seconds).toBe(0.5);
    });
  });

  describe('kept on disk', () => {
    const window = { row0: 10, row1: 70, column0: 20, column1: 80 };
    /** What a sidecar finds that starts after this one. */
    const restart = async () => {
      await kept.write('the last one', { arrays: [], about: null });
      await sessions.close();
      rmSync(join(base, 'arrays'), { recursive: true, force: true }); // as after a restart of the computer
      start();
    };

    it('survive a restart: nothing is encoded again', async () => {
      const before = await openSession();
      const digests = async (session: Session) =>
        [
          await compute.embeddings.whole(session, 0, call()),
          await compute.embeddings.window(session, 1, window, call())
        ].map(({ embedding, ...made }) => [made, createHash('sha256').update(embedding).digest('hex')]);
      const embeddings = await digests(before);
      const maps = [await value(before, 0), await value(before, 1)];
      expect([sam.embedded, sam.runs.length]).toEqual([1, 2]);
      await restart();
      const session = await openSession();
      expect(await digests(session)).toEqual(embeddings);
      expect([await value(session, 0), await value(session, 1)]).toEqual(maps);
      expect([sam.embedded, sam.runs.length]).toEqual([1, 2]);
      // Other pixels, another contrast, another model: encoded.
      await compute.embeddings.window(session, 1, { ...window, row0: 11 }, call());
      expect(sam.embedded).toBe(2);
      session.record.image.display = { low: 1, high: 255 };
      await compute.embeddings.window(session, 1, window, call());
      expect(sam.embedded).toBe(3);
      sam.encoder = { ...sam.encoder, digest: '1'.repeat(64) };
      await compute.embeddings.window(session, 1, window, call());
      expect(sam.embedded).toBe(4);
    });

    it('are of the contrast that the session shows, also after a restart; maps and the image keep theirs', async () => {
      const before = await openSession();
      const image = { low: 0, high: 255 };
      const contrast = { low: 50, high: 90, gamma: 2, inverse: true, channels: [true, true, true] } satisfies Contrast;
      const both = async (session: Session) => {
        await compute.embeddings.whole(session, 0, call());
        await compute.embeddings.window(session, 1, window, call());
        return sam.seen.splice(0);
      };
      expect(await both(before)).toEqual([image, image]);
      const late = gate();
      sam.gate = late.shut;
      const old = compute.embeddings.window(before, 2, window, call());
      await turn();
      await before.setContrast(contrast);
      late.open();
      await expect(old).rejects.toMatchObject({ code: 'cancelled' });
      sam.seen.length = 0;
      expect(before.state().contrast).toEqual(contrast);
      expect(await both(before)).toEqual([contrast, contrast]);
      const runs = sam.runs.length;
      await value(before, 0);
      expect(sam.runs).toHaveLength(runs); // the maps are those of before
      await restart();
      const session = await openSession();
      expect(session.record.contrast).toEqual(contrast);
      expect(await both(session)).toEqual([]);
      await session.setContrast(null);
      expect([session.state().contrast, await both(session)]).toEqual([undefined, []]);
    });

    it('are made again if a file is damaged', async () => {
      const before = await openSession(1, { families: {} });
      await compute.embeddings.window(before, 0, window, call());
      await restart();
      for (const name of readdirSync(join(base, 'kept'))) {
        const bytes = readFileSync(join(base, 'kept', name));
        writeFileSync(join(base, 'kept', name), bytes.subarray(0, bytes.length >> 1));
      }
      const session = await openSession(1, { families: {} });
      expect((await compute.embeddings.window(session, 0, window, call())).embedding[0]).toBe(0.5);
      expect(sam.embedded).toBe(2);
    });
  });

  describe('of a handed-over image', () => {
    const classifier = (basis: IEmbeddingBasis | null) => {
      const engine = new EngineService();
      const json = new TextEncoder().encode(JSON.stringify({ classes: CLASSES, means: [50, 200] }));
      jest.spyOn(EngineService.prototype, 'basisOf').mockReturnValue(basis as never);
      const described = engine.describe(json);
      jest
        .spyOn(EngineService.prototype, 'describe')
        .mockReturnValue({ ...described, info: { ...described.info, spec: { embedding: { ...spec, window: 192 } } } });
      return json;
    };

    it('come as arrays, one for each layer over all slices', async () => {
      const session = await openSession();
      const { basis } = await compute.embeddings.maps(session, spec);
      const store = new ArrayStore([{ directory: join(base, 'arrays'), memory: false }]);
      const make = async (shape: number[]) => ({
        staged: 'f'.repeat(32),
        array: await store.allocate('staged', 'maps', 'float32', shape)
      });
      const { signal } = new AbortController();
      const { maps } = await compute.classifierEmbedding(classifier(basis), session.image, make, signal);
      expect(maps).toMatchObject([{ name: 'embedding', cell: 3, array: { shape: [3, 1, 43, 43] } }]);
      const values = new Float32Array(new Uint8Array(readFileSync(maps[0]!.array.path)).buffer);
      expect([...values]).toEqual([0, 1, 2].flatMap(slice => new Array(43 * 43).fill(slice - 0.125)));
      expect(sam.runs.slice(1).map(({ window }) => window)).toEqual([192, 192, 192]);
      expect(await compute.classifierEmbedding(classifier(null), session.image, make, signal)).toEqual({ maps: [] });
    });

    it('are given to a classifier that is applied to it', async () => {
      const session = await openSession();
      const { basis } = await compute.embeddings.maps(session, spec);
      const apply = jest
        .spyOn(EngineService.prototype, 'apply')
        .mockImplementation(async ({ embedding, slice }, own) => {
          expect((await embedding!.slice(slice, own))[0]!.data[0]).toBe(slice - 0.125);
        });
      const { signal } = new AbortController();
      await compute.apply(classifier(basis), session.image, session.labels.array, 'labels', signal);
      expect(apply).toHaveBeenCalledTimes(3);
    });
  });
});
