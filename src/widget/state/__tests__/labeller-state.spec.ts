import { Signal } from '@lumino/signaling';
import { deflateRawSync } from 'node:zlib';
import { ITransport } from '../../../kernel-bridge';
import {
  encodeMessage,
  Frames,
  IRequest,
  LABEL_TILE,
  MessageAssembler,
  parseRequest,
  SessionState
} from '../../../shared';
import { ICandidates } from '../../../sam';
import { ISuggestionDecoder } from '../slice-embedding';
import { ViewTransform } from '../../base/geometry';
import { LabellerState } from '../labeller-state';
import { decodePatch, encodePatch, IPatch } from '../../labels/patches';
import { MaskBuilder } from '../../labels/raster';
import { Settings } from '../../base/settings';
import { statusText } from '../../frame/status-text';
import { createTools } from '../../canvas/tools';

const id = '0123456789abcdef0123456789abcdef';
const image = { rows: 600, columns: 700 };

/** A sidecar in the page: one label array, patches in the order they come, nothing lost unless it is told to. */
class FakeSidecar implements ITransport {
  readonly received = new Signal<this, Frames>(this);
  readonly closed = new Signal<this, void>(this);
  isDisposed = false;
  /** While down, what is sent is lost. */
  down = false;
  /** Errors for the next patches. */
  refuse: { code: string; message: string }[] = [];
  labels = new Uint8Array(image.rows * image.columns);
  version = 0;
  digest = 'a'.repeat(64);
  choice: SessionState['choice'] = { features: {}, forest: {} };
  live = false;
  views: unknown[] = [];
  methods: string[] = [];

  send(frames: Frames): void {
    const message = this._assembler.accept(frames);
    if (!message || this.down) {
      return;
    }
    const request = parseRequest(message.header);
    if (this._known.has(request.id)) {
      return; // sent again: a request is carried out once, and its answer is on its way
    }
    this._known.add(request.id);
    this.methods.push(request.method);
    setTimeout(() => this._answer(request, message.buffers));
  }

  tell(event: string, params: object, buffers: Uint8Array[] = []): void {
    this._emit({ event, params }, buffers);
  }

  apply(patch: IPatch): void {
    this.version++;
    for (const tile of patch.tiles) {
      for (let bit = 0; bit < LABEL_TILE ** 2; bit++) {
        const row = tile.row * LABEL_TILE + Math.floor(bit / LABEL_TILE);
        const column = tile.column * LABEL_TILE + (bit % LABEL_TILE);
        const at = row * image.columns + column;
        if (
          tile.bits[bit >> 3]! & (0x80 >> (bit & 7)) &&
          (patch.classId === 0 || !patch.preserve || !this.labels[at])
        ) {
          this.labels[at] = patch.classId;
        }
      }
    }
  }

  get session(): SessionState {
    return {
      session: id,
      title: 'test',
      image: {
        shape: [1, image.rows, image.columns, 1],
        dtype: 'uint8',
        digest: this.digest,
        display: { low: 0, high: 255 }
      },
      imageReady: true,
      classes: [
        { id: 1, name: 'matrix', color: '#e69f00' },
        { id: 2, name: 'pore', color: '#56b4e9' }
      ],
      labels: { version: this.version, counts: {} },
      resumed: null,
      live: this.live,
      segmentation: null,
      choice: this.choice,
      arrays: {}
    };
  }

  dispose(): void {
    this.isDisposed = true;
  }

  private _answer({ id: re, method, params }: IRequest, buffers: Uint8Array[]): void {
    const device = { model: 'mobile-sam', provider: 'cpu', adapter: null, note: '' };
    switch (method) {
      case 'labels.patch': {
        const error = this.refuse.shift();
        if (error) {
          this._emit({ re, error });
          return;
        }
        this.apply(decodePatch(params as never, buffers));
        this._emit({ re, result: { version: this.version, changed: 1 } });
        return;
      }
      case 'overlay.tiles': {
        const tiles: { row: number; column: number }[] = [];
        const out: Uint8Array[] = [];
        for (let row = 0; row < 3; row++) {
          for (let column = 0; column < 3; column++) {
            tiles.push({ row, column });
            out.push(deflateRawSync(this._tile(row, column)));
          }
        }
        this._emit({ re, result: { version: this.version, tiles } }, out);
        return;
      }
      case 'sam.decoder':
        this._emit({ re, result: { model: 'mobile-sam', digest: 'b'.repeat(64), bytes: 1 } }, [new Uint8Array(1)]);
        return;
      case 'sam.embedding':
        this._emit({ re, result: { device, seconds: 1, shape: [256, 64, 64] } }, [new Uint8Array(2)]);
        return;
      case 'session.fresh':
        this.labels.fill(0);
        this.version++;
        this._emit({ re, result: this.session });
        return;
      case 'session.live':
        this.live = (params as { on: boolean }).on;
        this.views.push((params as { view?: object }).view);
        this._emit({ re, result: this.session });
        return;
      case 'session.view':
        this.views.push((params as { view: object | null }).view);
        this._emit({ re, result: {} });
        return;
      case 'session.choice':
        this.choice = { ...this.choice, ...(params as object) };
        this._emit({ re, result: this.session });
        return;
      case 'session.attach':
      case 'classifier.load':
      case 'train':
        this._emit({ re, result: this.session });
        return;
      default:
        this._emit({ re, error: { code: 'invalid', message: `no ${method} here` } });
    }
  }

  private _tile(tileRow: number, tileColumn: number): Uint8Array {
    const tile = new Uint8Array(LABEL_TILE ** 2);
    for (let row = 0; row < LABEL_TILE; row++) {
      for (let column = 0; column < LABEL_TILE; column++) {
        const [r, c] = [tileRow * LABEL_TILE + row, tileColumn * LABEL_TILE + column];
        tile[row * LABEL_TILE + column] = r < image.rows && c < image.columns ? this.labels[r * image.columns + c]! : 0;
      }
    }
    return tile;
  }

  private _emit(header: object, buffers: Uint8Array[] = []): void {
    for (const frames of encodeMessage(header, buffers)) {
      this.received.emit(frames);
    }
  }

  private readonly _assembler = new MessageAssembler();
  private readonly _known = new Set<string>();
}

function squareAt(row: number, column: number): ICandidates {
  const lowRes = [4, 8, 16].map(half => {
    const logits = new Float32Array(256 * 256).fill(-5);
    const scale = 256 / 700;
    for (let r = Math.round(row * scale) - half; r < Math.round(row * scale) + half; r++) {
      logits.fill(5, r * 256 + Math.round(column * scale) - half, r * 256 + Math.round(column * scale) + half);
    }
    return logits;
  });
  return { lowRes, scores: [0.1, 0.2, 0.9] };
}

const opened: LabellerState[] = [];
afterEach(() => opened.splice(0).forEach(state => state.dispose()));

async function open(suggest: ISuggestionDecoder['suggest'] = async ([point]) => squareAt(point!.row, point!.column)) {
  const sidecar = new FakeSidecar();
  const state = new LabellerState({
    session: id,
    settings: new Settings(),
    connect: () => Promise.resolve(sidecar),
    createDecoder: () =>
      Promise.resolve({
        load: () => Promise.resolve(),
        setEmbedding: () => undefined,
        suggest,
        isDisposed: false,
        dispose: () => undefined
      })
  });
  opened.push(state);
  await state.open();
  await until(() => state.parts?.embedding.state.state === 'ready');
  return { sidecar, state, parts: state.parts! };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}

/** Let everything that is on its way arrive. */
const settle = () => new Promise(resolve => setTimeout(resolve, 60));

function stroke(state: LabellerState, classId: number, row: number, column: number, preserve = true): void {
  const one = state.parts!.labels.stroke(0, classId, preserve);
  one.line({ x: column, y: row }, { x: column + 40, y: row + 7 }, 9);
  one.end();
}

function run(classId: number, row: number, start: number, end: number): IPatch {
  const mask = new MaskBuilder(image);
  mask.addRun(row, start, end);
  return { slice: 0, classId, preserve: true, tiles: mask.tiles() };
}

/** Whether the browser shows what the sidecar has. */
function same({ state, sidecar }: { state: LabellerState; sidecar: FakeSidecar }): boolean {
  const labels = state.parts!.labels.slice(0);
  return sidecar.labels.every((value, at) => labels.at(Math.floor(at / image.columns), at % image.columns) === value);
}

describe('LabellerState', () => {
  it('shows strokes at once and has the sidecar’s pixels after they were sent', async () => {
    const labeller = await open();
    stroke(labeller.state, 1, 100, 240);
    expect(labeller.parts.labels.slice(0).at(100, 245)).toBe(1);
    expect(labeller.sidecar.labels[100 * image.columns + 245]).toBe(0);
    stroke(labeller.state, 2, 104, 250);
    stroke(labeller.state, 0, 100, 260);
    await labeller.state.drained();
    expect(labeller.sidecar.version).toBe(3);
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('accepts a suggestion into the class that is chosen', async () => {
    const labeller = await open();
    labeller.state.setClass(2);
    await labeller.state.accept({ row: 300, column: 350 });
    await labeller.state.drained();
    expect(labeller.sidecar.labels[300 * image.columns + 350]).toBe(2);
    const count = labeller.sidecar.labels.reduce((sum, value) => sum + (value === 2 ? 1 : 0), 0);
    expect(count).toBeGreaterThan(80 * 80);
    expect(count).toBeLessThan(95 * 95);
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('carries out quick clicks in their order, in the class that each was made with', async () => {
    const answers: (() => void)[] = [];
    const labeller = await open(
      ([point]) => new Promise(resolve => answers.push(() => resolve(squareAt(point!.row, point!.column))))
    );
    const { state, parts } = labeller;
    void state.accept({ row: 300, column: 350 });
    state.setClass(2);
    void state.accept({ row: 340, column: 380 });
    parts.suggestions.move({ row: 20, column: 20 }, 10);
    answers.reverse().forEach(answer => answer());
    await state.drained();
    expect(labeller.sidecar.version).toBe(2);
    expect(parts.labels.slice(0).at(320, 365)).toBe(1); // in both: what was clicked first stays
    expect(parts.labels.slice(0).at(370, 400)).toBe(2);
    expect(same(labeller)).toBe(true);
    state.dispose();
  });

  it('says what went wrong with a click, and carries out those after it', async () => {
    const labeller = await open();
    const { state, parts } = labeller;
    jest.spyOn(parts.labels, 'commit').mockImplementationOnce(() => {
      throw new Error('no memory for the mask');
    });
    await state.accept({ row: 300, column: 350 });
    expect(state.error).toContain('no memory for the mask');
    await state.accept({ row: 300, column: 350 });
    await state.drained();
    expect(labeller.sidecar.labels[300 * image.columns + 350]).toBe(1);
    state.dispose();
  });

  it('takes what others draw', async () => {
    const labeller = await open();
    const patch = run(2, 50, 10, 600);
    labeller.sidecar.apply(patch);
    const { params, buffers } = encodePatch(id, patch);
    labeller.sidecar.tell('patch', { origin: 'python', version: 1, patch: params }, buffers);
    expect(labeller.parts.labels.slice(0).at(50, 599)).toBe(2);
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('ends with the sidecar’s pixels when others draw under a stroke that is on its way', async () => {
    const labeller = await open();
    const theirs = run(2, 100, 200, 320);
    labeller.sidecar.apply(theirs); // the sidecar has theirs first, the browser has its own first
    stroke(labeller.state, 1, 100, 240);
    const { params, buffers } = encodePatch(id, theirs);
    labeller.sidecar.tell('patch', { origin: 'other', version: 1, patch: params }, buffers);
    await labeller.state.drained();
    await settle();
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('fetches the labels again when a patch was missed', async () => {
    const labeller = await open();
    labeller.sidecar.apply(run(2, 20, 0, 50));
    const second = run(2, 30, 0, 50);
    labeller.sidecar.apply(second);
    const { params, buffers } = encodePatch(id, second);
    labeller.sidecar.tell('patch', { origin: 'other', version: 2, patch: params }, buffers);
    await settle();
    expect(labeller.parts.labels.slice(0).at(20, 5)).toBe(2);
    labeller.state.dispose();
  });

  it('goes on painting while the sidecar is away, and sends everything when it is back', async () => {
    const labeller = await open();
    labeller.sidecar.down = true;
    labeller.sidecar.tell('relay', { state: 'lost', message: 'gone' });
    expect(labeller.state.connection.state.state).toBe('lost');
    stroke(labeller.state, 1, 100, 240);
    stroke(labeller.state, 2, 300, 240);
    expect(labeller.parts.labels.slice(0).at(300, 245)).toBe(2);
    expect(labeller.parts.labels.queue.waiting).toHaveLength(2);
    labeller.sidecar.down = false;
    labeller.sidecar.tell('relay', { state: 'connected', message: '' });
    await labeller.state.drained();
    await settle();
    expect(labeller.state.connection.state.state).toBe('connected');
    expect(labeller.sidecar.version).toBe(2);
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('takes back a stroke that the sidecar refuses, and says why', async () => {
    const labeller = await open();
    labeller.sidecar.refuse = [{ code: 'invalid', message: 'class 1 is gone' }];
    stroke(labeller.state, 1, 100, 240);
    await labeller.state.drained();
    await settle();
    expect(labeller.state.error).toBe('class 1 is gone');
    expect(labeller.parts.labels.slice(0).at(100, 245)).toBe(0);
    labeller.state.dispose();
  });

  it('keeps a stroke that the disk has no room for', async () => {
    const labeller = await open();
    labeller.sidecar.refuse = [{ code: 'disk-full', message: 'No room.' }];
    stroke(labeller.state, 1, 100, 240);
    await settle();
    expect(labeller.parts.labels.queue.held?.message).toBe('No room.');
    expect(labeller.parts.labels.slice(0).at(100, 245)).toBe(1);
    labeller.parts.labels.queue.retry();
    await labeller.state.drained();
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('trains only after every stroke was sent', async () => {
    const labeller = await open();
    stroke(labeller.state, 1, 100, 240);
    stroke(labeller.state, 2, 300, 240);
    await labeller.state.train();
    const { methods } = labeller.sidecar;
    expect(methods.indexOf('train')).toBeGreaterThan(methods.lastIndexOf('labels.patch'));
    labeller.state.dispose();
  });

  it('trains with what was chosen last, however recently', async () => {
    const { sidecar, state } = await open();
    state.choice.setForest({ preset: 'deep' });
    await state.train();
    const { methods } = sidecar;
    expect(methods.indexOf('train')).toBeGreaterThan(methods.indexOf('session.choice'));
    expect(sidecar.choice.forest).toEqual({ preset: 'deep' });
    state.dispose();
  });

  it('shows what Python chose, offers those features for a preview, and forgets the preview with the image', async () => {
    const { sidecar, state, parts } = await open();
    sidecar.choice = { features: { set: 'weka', median: { sigmas: [3] } }, forest: {} };
    sidecar.tell('session', sidecar.session);
    expect(state.choice.spec.sigmaScale).toBe(0.4);
    expect(parts.preview.names).toContain('median r=3');
    parts.preview.show(true);
    sidecar.digest = 'c'.repeat(64);
    sidecar.tell('session', sidecar.session);
    expect(state.parts!.preview.shown).toBe(false);
    expect(state.parts!.preview.names).toContain('median r=3');
    state.dispose();
  });

  it('loads a classifier only after every stroke was sent', async () => {
    const { sidecar, state } = await open();
    stroke(state, 1, 100, 240);
    const bytes = new TextEncoder().encode('{}');
    await state.loadClassifier({ name: 'a.json', size: 2, arrayBuffer: () => Promise.resolve(bytes.buffer) });
    const { methods } = sidecar;
    expect(methods.indexOf('classifier.load')).toBeGreaterThan(methods.lastIndexOf('labels.patch'));
    expect(state.files.state).toEqual({ state: 'loaded', name: 'a.json' });
    state.dispose();
  });

  it('says how far SAM is with the windows of a large image, while suggestions are there already', async () => {
    const { sidecar, state } = await open();
    const job = { session: id, job: 'windows', kind: 'embed', state: 'running', stage: 'encoding', message: '' };
    let prepared = 0;
    state.parts!.embedding.changed.connect(() => prepared++);
    sidecar.tell('job', { ...job, done: 0, total: 1 });
    expect(statusText(state).text).toBe('SAM is ready, on CPU');
    sidecar.tell('job', { ...job, done: 9, total: 36 });
    expect(statusText(state)).toEqual({
      text: 'SAM is ready, on CPU; looking closer for the classifier… 25 %',
      kind: 'busy'
    });
    expect(prepared).toBe(0); // a suggestion that is shown stays
    sidecar.tell('job', { ...job, job: 'another', state: 'done', done: 1, total: 1 });
    expect(statusText(state).kind).toBe('busy');
    sidecar.tell('job', { ...job, state: 'done', done: 36, total: 36 });
    expect(statusText(state)).toEqual({ text: 'SAM is ready, on CPU', kind: 'plain' });
    state.dispose();
  });

  it('says that a training failed until labels change, and says what SAM runs on meanwhile', async () => {
    const { sidecar, state } = await open();
    const fail = () =>
      sidecar.tell('job', {
        session: id,
        job: 'python',
        kind: 'train',
        state: 'failed',
        stage: '',
        done: 0,
        total: 1,
        message: 'Label two classes.'
      });
    fail();
    expect(state.training.state).toEqual({ state: 'failed', message: 'Label two classes.' });
    expect(statusText(state).text).toBe('SAM is ready, on CPU');
    stroke(state, 1, 100, 240);
    await state.drained();
    expect(state.training.state).toEqual({ state: 'idle' });
    fail();
    sidecar.tell('labels', { session: id, version: sidecar.version });
    expect(state.training.state).toEqual({ state: 'idle' });
    state.dispose();
  });

  it('tells a kernel that was shut down from one that was restarted', async () => {
    const { sidecar, state } = await open();
    sidecar.closed.emit(undefined);
    expect(statusText(state).text).toContain('The kernel was restarted.');
    state.connection.close('stopped');
    state.connection.close();
    expect(statusText(state).text).toContain('The kernel was shut down.');
    state.dispose();
  });

  it('hands unsent strokes to the next labeller of the session when its kernel went', async () => {
    const first = await open();
    first.state.connection.close();
    stroke(first.state, 1, 100, 240);
    first.state.dispose();
    const second = await open();
    await second.state.drained();
    expect(second.sidecar.labels[100 * image.columns + 245]).toBe(1);
    expect(same(second)).toBe(true);
    second.state.dispose();
  });

  it('fetches the segmentation again after the labels were replaced as a whole', async () => {
    const { sidecar, state, parts } = await open();
    const show = async () => {
      parts.segmentation.want(0, [{ row: 0, column: 0 }]);
      await until(() => parts.segmentation.settled);
    };
    sidecar.version = 1;
    sidecar.labels.fill(1);
    sidecar.tell('segmentation', { session: id, version: 1 });
    await show();
    expect(parts.segmentation.at(0, 5, 5)).toBe(1);
    sidecar.labels.fill(2);
    sidecar.tell('labels', { session: id, version: 1 });
    await show();
    expect(parts.segmentation.at(0, 5, 5)).toBe(2);
    state.dispose();
  });

  it('draws nothing of the segmentation any more after a fresh start', async () => {
    const { sidecar, state, parts } = await open();
    sidecar.tell('segmentation', { session: id, version: 1 });
    const repainted: unknown[] = [];
    state.repaint.connect((_, change) => repainted.push(change));
    await state.fresh();
    expect(parts.segmentation.version).toBe(0);
    expect(repainted).toContainEqual({ overlay: 'segmentation', keys: null });
    state.dispose();
  });

  it('begins with the brush and goes to suggestions once they can be made, unless a tool was chosen', async () => {
    const { state } = await open();
    expect(state.tool).toBe('suggest');
    state.setTool('eraser');
    expect(state.tool).toBe('eraser');
    state.dispose();
  });

  it('shows another image when the session has one, and keeps the labels that fit it', async () => {
    const labeller = await open();
    const { sidecar, state, parts } = labeller;
    const asked = () => sidecar.methods.filter(method => method === 'sam.embedding').length;
    stroke(state, 1, 100, 240);
    await state.drained();
    sidecar.tell('session', sidecar.session);
    expect(state.parts).toBe(parts);
    sidecar.digest = 'c'.repeat(64);
    sidecar.tell('session', sidecar.session);
    const now = state.parts!;
    expect([parts.tiles, parts.segmentation, parts.suggestions, parts.embedding].every(one => one.isDisposed)).toBe(
      true
    );
    expect([now.tiles, now.segmentation, now.suggestions, now.embedding].some(one => one.isDisposed)).toBe(false);
    expect(statusText(state).text).toContain('The session now shows another image.');
    await until(() => now.embedding.state.state === 'ready');
    expect(asked()).toBe(2);
    expect(now.suggestions.ready).toBe(true);
    expect(same(labeller)).toBe(true);
    stroke(state, 2, 300, 240);
    await state.drained();
    expect(same(labeller)).toBe(true);
    expect(statusText(state).text).toBe('SAM is ready, on CPU');
    state.dispose();
  });

  it('drops the labels of an image of another shape', async () => {
    const { sidecar, state, parts } = await open();
    stroke(state, 1, 100, 240);
    await state.drained();
    sidecar.labels.fill(0);
    const session = { ...sidecar.session, image: { ...sidecar.session.image, digest: 'c'.repeat(64) } };
    sidecar.tell('session', { ...session, image: { ...session.image, shape: [1, 700, 600, 1] } });
    expect(parts.labels.isDisposed).toBe(true);
    expect(state.parts!.image).toEqual({ rows: 700, columns: 600 });
    await settle();
    expect(state.parts!.labels.slice(0).at(100, 245)).toBe(0);
    state.dispose();
  });

  it('keeps the brush in the hand of who draws when suggestions can be made', async () => {
    const { state, parts } = await open();
    const { decode } = parts.embedding;
    parts.suggestions.decode = null;
    expect(state.tool).toBe('brush');
    const tools = createTools({ state, view: new ViewTransform(image), redraw: () => undefined });
    tools[state.tool].press({ image: { x: 30, y: 30 }, altKey: false });
    parts.suggestions.decode = decode;
    expect(state.tool).toBe('brush');
    tools[state.tool].release();
    await state.drained();
    expect(state.tool).toBe('brush');
    state.dispose();
  });

  it('chooses classes that exist', async () => {
    const { state } = await open();
    expect(state.currentClass?.name).toBe('matrix');
    state.setClass(2);
    expect(state.currentClass?.name).toBe('pore');
    state.setClass(9);
    expect(state.currentClass?.name).toBe('pore');
    state.dispose();
  });

  it('shows live tiles at once, what is drawn meanwhile on top, and fetches none of them again', async () => {
    const { sidecar, state, parts } = await open();
    state.live.show({}, 0, { row0: 0, row1: 200, column0: 0, column1: 200 });
    await state.setLive(true);
    expect(state.live.on).toBe(true);
    expect(sidecar.views).toEqual([{ slice: 0, row0: 0, row1: 200, column0: 0, column1: 200 }]);
    const bring = (round: number, classId: number, labelsVersion: number) =>
      sidecar.tell(
        'segmentation.tiles',
        { session: id, round, labelsVersion, slice: 0, tiles: [{ row: 0, column: 0 }] },
        [deflateRawSync(new Uint8Array(LABEL_TILE ** 2).fill(classId))]
      );
    const repainted: unknown[] = [];
    state.repaint.connect((_, change) => repainted.push(change));
    bring(1, 1, 0);
    expect(repainted).toEqual([{ overlay: 'segmentation', keys: ['0/0/0'] }]);
    expect(parts.segmentation.at(0, 100, 105)).toBe(1);
    stroke(state, 2, 100, 100);
    bring(1, 1, 0); // does not know of the stroke
    expect(parts.segmentation.at(0, 100, 105)).toBe(2);
    await state.drained();
    bring(2, 1, 1);
    const asked = () => sidecar.methods.filter(method => method === 'overlay.tiles').length;
    const before = asked();
    sidecar.tell('segmentation', { session: id, version: 1, round: 2 });
    parts.segmentation.want(0, [{ row: 0, column: 0 }]);
    await settle();
    expect(asked()).toBe(before);
    const [times] = state.times.all;
    expect(times!.version).toBe(1);
    expect(times!.firstTiles).toBeGreaterThanOrEqual(times!.acknowledged!);
    state.dispose();
  });

  it('counts rounds anew after it was switched, and drops what came of a live round that ended early', async () => {
    const { sidecar, state, parts } = await open();
    const bring = (round: number, classId: number) =>
      sidecar.tell(
        'segmentation.tiles',
        { session: id, round, labelsVersion: 0, slice: 0, tiles: [{ row: 0, column: 0 }] },
        [deflateRawSync(new Uint8Array(LABEL_TILE ** 2).fill(classId))]
      );
    await state.setLive(true);
    bring(9, 1);
    await state.setLive(false);
    await state.setLive(true);
    bring(1, 2);
    expect(parts.segmentation.at(0, 5, 5)).toBe(2);
    await until(() => !parts.segmentation.ahead);
    expect(parts.segmentation.at(0, 5, 5)).toBe(0);
    state.dispose();
  });

  it('says so when a sidecar that was started anew is not live any more, and follows what others switch', async () => {
    const { sidecar, state } = await open();
    await state.setLive(true);
    sidecar.live = false;
    sidecar.tell('relay', { state: 'lost', message: 'gone' });
    sidecar.tell('relay', { state: 'connected', message: '' });
    await settle();
    expect(state.live.on).toBe(false);
    expect(statusText(state).text).toContain('Live segmentation is off since the sidecar was started anew.');
    sidecar.live = true;
    sidecar.tell('session', sidecar.session);
    expect(state.live.on).toBe(true);
    state.dispose();
  });
});
