/** A labeller on a sidecar that lives in the test, and what tests of it need. Not a test. */
import { Signal } from '@lumino/signaling';
import { deflateRawSync } from 'node:zlib';
import { ITransport } from '../../../kernel-bridge';
import {
  DEFAULT_MODEL,
  encodeMessage,
  Frames,
  IRequest,
  Contrast,
  LABEL_TILE,
  MessageAssembler,
  parseRequest,
  RelatedSession,
  Replaces,
  SessionState,
  zDecoderManifest
} from '../../../shared';
import { rectOf } from '../../../shared/region';
import { ICandidates, packPart } from '../../../sam';
import { IDecoderRoutes, ISuggestionDecoder } from '../suggestion-decoder';
import { LabellerState } from '../labeller-state';
import { placeOf } from '../prompts';
import { decodePatch, IMaskedPatch } from '../../labels/patches';
import { MaskBuilder } from '../../labels/raster';
import { Settings } from '../../base/settings';

export const id = '0123456789abcdef0123456789abcdef';
export const image = { rows: 600, columns: 700 };

/** The page decodes, and has not decoded anything yet. */
export const PAGE_ALONE: IDecoderRoutes = {
  serving: 'page',
  medians: { page: null, sidecar: null, gpu: null },
  answers: { page: 0, sidecar: 0, gpu: 0 },
  problems: { page: null, sidecar: null, gpu: null }
};

/** A sidecar in the page: one label array, patches in the order they come, nothing lost unless it is told to. */
export class FakeSidecar implements ITransport {
  constructor(
    readonly size = image,
    readonly slices = 1
  ) {
    this.labels = new Uint8Array(size.rows * size.columns);
  }

  readonly received = new Signal<this, Frames>(this);
  readonly closed = new Signal<this, void>(this);
  isDisposed = false;
  /** While down, what is sent is lost. */
  down = false;
  /** Errors for the next patches. */
  refuse: { code: string; message: string }[] = [];
  labels: Uint8Array;
  version = 0;
  /** Labelled pixels that the session tells of. */
  counts: Record<string, number> = {};
  digest = 'a'.repeat(64);
  choice: SessionState['choice'] = { features: {}, forest: {} };
  live = false;
  marks: SessionState['marks'] = { locked: [], hidden: [] };
  region: SessionState['region'] = null;
  /** Why the next regions are refused. */
  refusedRegion: string | null = null;
  views: unknown[] = [];
  methods: string[] = [];
  /** Slices of the requests of each method that names one. */
  asked: Record<string, number[]> = {};
  /** Directions of the requests of each method, and slices of those that name a direction: "xz 3". */
  directed: Record<string, string[]> = {};
  related: RelatedSession[] = [];
  slicesWithLabels = { labelled: [] as number[], interpolated: [] as number[] };
  /** The model that the session chose. */
  samModel: string | undefined;
  /** What the session shows, and SAM sees. */
  contrast: Contrast | null = null;
  /** What is wrong with the files of that model; MobileSAM's are right. */
  brokenModel: string | null = null;
  /** What is wrong with files of MobileSAM that are passed over. */
  passedOver: string | undefined;
  /** Params of the copies from slice to slice. */
  copies: object[] = [];
  /** Slices of the tiles of each painting, and its params. */
  paintings: { slices: number[]; params: object }[] = [];
  /** Ids of the sessions whose labels were copied. */
  taken: string[] = [];

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
    if ('slice' in request.params) {
      (this.asked[request.method] ??= []).push(request.params.slice!);
    }
    if ('direction' in request.params) {
      const { direction, slice } = request.params as { direction: string; slice: number };
      (this.directed[request.method] ??= []).push(`${direction} ${slice}`);
    }
    setTimeout(() => {
      const held = this._held.get(request.method);
      if (held) {
        held.push(() => this._answer(request, message.buffers));
      } else {
        this._answer(request, message.buffers);
      }
    });
  }

  /** Answer no request of a method until the returned function is called. */
  hold(method: string): () => void {
    const held: (() => void)[] = [];
    this._held.set(method, held);
    return () => {
      this._held.delete(method);
      held.forEach(answer => answer());
    };
  }

  tell(event: string, params: object, buffers: Uint8Array[] = []): void {
    this._emit({ event, params }, buffers);
  }

  /** @returns how many pixels changed */
  apply(patch: IMaskedPatch): number {
    this.version++;
    let changed = 0;
    for (const tile of patch.tiles) {
      for (let bit = 0; bit < LABEL_TILE ** 2; bit++) {
        const row = tile.row * LABEL_TILE + Math.floor(bit / LABEL_TILE);
        const column = tile.column * LABEL_TILE + (bit % LABEL_TILE);
        const at = row * this.size.columns + column;
        if (
          tile.bits[bit >> 3]! & (0x80 >> (bit & 7)) &&
          (patch.replaces === 'all' || patch.replaces.includes(this.labels[at]!))
        ) {
          changed += this.labels[at] === patch.classId ? 0 : 1;
          this.labels[at] = patch.classId;
        }
      }
    }
    return changed;
  }

  get session(): SessionState {
    return {
      session: id,
      title: 'test',
      correction: null,
      image: {
        shape: [this.slices, this.size.rows, this.size.columns, 1],
        dtype: 'uint8',
        digest: this.digest,
        display: { low: 0, high: 255 }
      },
      imageReady: true,
      classes: [
        { id: 1, name: 'matrix', color: '#e69f00' },
        { id: 2, name: 'pore', color: '#56b4e9' }
      ],
      marks: this.marks,
      region: this.region,
      labels: { version: this.version, counts: this.counts },
      resumed: null,
      recovered: null,
      history: { undo: null, redo: null },
      live: this.live,
      segmentation: null,
      choice: this.choice,
      ...(this.samModel !== undefined && { samModel: this.samModel }),
      ...(this.contrast && { contrast: this.contrast }),
      arrays: {}
    };
  }

  dispose(): void {
    this.isDisposed = true;
  }

  protected _answer({ id: re, method, params }: IRequest, buffers: Uint8Array[]): void {
    const device = { model: 'mobile-sam', provider: 'cpu', adapter: null, note: '' };
    if (this.samModel !== undefined && this.brokenModel && ['sam.decoder', 'sam.embedding'].includes(method)) {
      this._emit({ re, error: { code: 'model', message: this.brokenModel } });
      return;
    }
    switch (method) {
      case 'ping':
        this._emit({ re, result: {} });
        return;
      case 'sam.choose': {
        const { model } = params as { model: string };
        this.samModel = model === DEFAULT_MODEL.id ? undefined : model;
        this._emit({ re, result: this.session });
        return;
      }
      case 'sam.contrast':
        this.contrast = (params as { contrast: Contrast | null }).contrast;
        this.tell('session', this.session);
        this._emit({ re, result: this.session });
        return;
      case 'labels.patch': {
        const error = this.refuse.shift();
        if (error) {
          this._emit({ re, error });
          return;
        }
        const changed = this.apply(decodePatch(params as never, buffers));
        this._emit({ re, result: { version: this.version, changed } });
        return;
      }
      case 'overlay.tiles': {
        if ((params as { overlay: string }).overlay === 'correction') {
          this._emit({ re, result: { version: this.version, tiles: [] } });
          return;
        }
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
      case 'image.tile':
        if (this.slices > 1) {
          const result = { rows: 1, columns: 1, channels: 1, dtype: 'uint8' };
          this._emit({ re, result }, [new Uint8Array(1)]);
        } else {
          this._emit({ re, error: { code: 'invalid', message: 'no image here' } });
        }
        return;
      case 'sam.decoder':
        this._emit(
          { re, result: { manifest: zDecoderManifest.parse(DEFAULT_MODEL), digest: 'b'.repeat(64), bytes: 1 } },
          [new Uint8Array(1)]
        );
        return;
      case 'sam.embedding':
        this._emit(
          {
            re,
            result: {
              device,
              seconds: 1,
              shape: [256, 64, 64],
              within: rectOf(this.region, this.session.image.shape),
              problem: this.passedOver,
              embedding: 'e'.repeat(64)
            }
          },
          [new Uint8Array(2)]
        );
        return;
      case 'labels.slices':
        this._emit({ re, result: { version: this.version, ...this.slicesWithLabels } });
        return;
      case 'labels.copy':
        this.copies.push(params);
        this._emit({ re, result: { version: ++this.version, changed: 1 } });
        return;
      case 'labels.paint': {
        const error = this.refuse.shift();
        if (error) {
          this._emit({ re, error });
          return;
        }
        const named = new Uint32Array(buffers[0]!.slice().buffer);
        this.paintings.push({ slices: [...named].filter((__, i) => i % 3 === 0), params });
        this._emit({ re, result: { version: ++this.version, changed: 1 } });
        return;
      }
      case 'sam.similar-window': {
        // One square a slice, in one window.
        const rect = { row0: 100, row1: 120, column0: 520, column1: 540 };
        const { rows, columns } = this.size;
        const seen = { row0: 0, row1: rows, column0: 0, column1: columns };
        const { samples, codes } = packPart(squareAt(110, 530).lowRes[0]!, 256);
        const objects = [{ point: { row: 110, column: 530 }, rect, seen, samples }];
        const buffers = [new Uint8Array(400).fill(1), codes].map(bytes => deflateRawSync(bytes));
        this._emit({ re, result: { windows: 1, objects } }, buffers);
        return;
      }
      case 'labels.interpolate':
        this._emit({ re, result: { version: ++this.version, changed: 1, slices: [2, 3] } });
        return;
      case 'session.fresh':
        this.labels.fill(0);
        this.version++;
        this._emit({ re, result: this.session });
        return;
      case 'session.related':
        this._emit({ re, result: { sessions: this.related } });
        return;
      case 'labels.take':
        this.taken.push((params as { from: string }).from);
        this.labels.fill(1);
        this.version++;
        this._emit({ re, result: { ...this.session, labels: { version: this.version, counts: { 1: 1 } } } });
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
      case 'session.region':
        if (this.refusedRegion) {
          this._emit({ re, error: { code: 'invalid', message: this.refusedRegion } });
          return;
        }
        this.region = (params as Pick<SessionState, 'region'>).region;
        this._emit({ re, result: this.session });
        return;
      case 'session.marks':
        this.marks = params as SessionState['marks'];
        this._emit({ re, result: this.session });
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
        tile[row * LABEL_TILE + column] =
          r < this.size.rows && c < this.size.columns ? this.labels[r * this.size.columns + c]! : 0;
      }
    }
    return tile;
  }

  protected _emit(header: object, buffers: Uint8Array[] = []): void {
    for (const frames of encodeMessage(header, buffers)) {
      this.received.emit(frames);
    }
  }

  private readonly _assembler = new MessageAssembler();
  private readonly _held = new Map<string, (() => void)[]>();
  private readonly _known = new Set<string>();
}

export function squareAt(row: number, column: number): ICandidates {
  const lowRes = [4, 8, 16].map(half => {
    const logits = new Float32Array(256 * 256).fill(-5);
    const scale = 256 / 700;
    for (let r = Math.round(row * scale) - half; r < Math.round(row * scale) + half; r++) {
      logits.fill(5, r * 256 + Math.round(column * scale) - half, r * 256 + Math.round(column * scale) + half);
    }
    return logits;
  });
  return { lowRes, scores: [0.1, 0.2, 0.9], single: null };
}

const opened: LabellerState[] = [];

/** Dispose the labellers that {@link open} made; call it after each test. */
export function closeAll(): void {
  opened.splice(0).forEach(state => state.dispose());
}

/** A labeller whose image, labels and decoder are ready. */
export async function open(
  suggest: ISuggestionDecoder['suggest'] = async prompts => {
    const { row, column } = placeOf(prompts);
    return squareAt(row, column);
  },
  size = image,
  slices = 1,
  prepare: (sidecar: FakeSidecar) => void = () => undefined
) {
  const sidecar = new FakeSidecar(size, slices);
  prepare(sidecar);
  const embeddings = new Set<string>();
  const state = new LabellerState({
    session: id,
    settings: new Settings(),
    connect: () => Promise.resolve(sidecar),
    createDecoder: () =>
      Promise.resolve({
        load: () => Promise.resolve(),
        setEmbedding: key => void embeddings.add(key),
        useEmbedding: key => embeddings.has(key),
        embedding: () => null,
        first: () => null,
        mayDecodeAhead: true,
        routes: PAGE_ALONE,
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

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}

/** Let everything that is on its way arrive. */
export const settle = () => new Promise(resolve => setTimeout(resolve, 60));

export function stroke(
  state: LabellerState,
  classId: number,
  row: number,
  column: number,
  replaces: Replaces = [0]
): void {
  const one = state.parts!.labels.stroke(0, classId, replaces);
  one.line({ x: column, y: row }, { x: column + 40, y: row + 7 }, 9);
  one.end();
}

export function run(classId: number, row: number, start: number, end: number): IMaskedPatch {
  const mask = new MaskBuilder(image);
  mask.addRun(row, start, end);
  return { slice: 0, classId, replaces: [0], tiles: mask.tiles() };
}

/** Whether the browser shows what the sidecar has. */
export function same({ state, sidecar }: { state: LabellerState; sidecar: FakeSidecar }): boolean {
  const labels = state.parts!.labels.slice(0);
  return sidecar.labels.every((value, at) => labels.at(Math.floor(at / image.columns), at % image.columns) === value);
}
