/**
 * The maps of a slice, made window by window as tiles need them. A cell is the weighted sum of its windows, always added in ascending order, so its
 * bits do not depend on the order in which the windows come.
 */
import type { ILayerMaps, ISliceMaps } from '../../../engine/core/embedding';
import { BridgeError } from '../../../src/shared/errors';
import type { EmbeddingLayer } from '../../../src/shared/features';
import { encoderLayer, IPromptModel } from '../../../src/shared/models';
import { moved, Rect } from '../../../src/shared/rect';
import { EncoderWindows, LayerGrid } from '../../../src/sam';
import { sharedFloats } from '../base/shared-memory';
import { IJobContext } from '../jobs/job-context';

/** The largest number of bytes of a slice's maps together. */
const MAPS_MAX = 1 << 30;

/** Windows that are asked for at once: while one is encoded, the next is on its way. */
const AT_ONCE = 2;

/** A window's components, for each layer [components][side][side]. */
export type ReducedWindow = readonly Float32Array[];

/** Makes the windows of a slice. */
export interface IWindowSource {
  encode(index: number, context: IJobContext): Promise<ReducedWindow>;
  /** Called after a window of it was added. */
  added(): void;
}

/** A caller that waits for windows. */
interface ICaller {
  /** Windows that are not there yet, in the order in which they are made. */
  left: Set<number>;
  total: number;
  /** Wants the whole slice: its turn comes when no other caller waits. */
  whole: boolean;
  context: IJobContext;
  resolve(): void;
  reject(error: unknown): void;
}

export class WindowedMaps {
  /**
   * @param _origin the pixel of the image at the maps' upper left, if they are those of a part of it
   * @throws BridgeError `too-large` for maps that would not fit into memory
   */
  constructor(
    readonly windows: EncoderWindows,
    layers: readonly EmbeddingLayer[],
    manifest: IPromptModel,
    private readonly _origin?: { row: number; column: number }
  ) {
    this._grids = layers.map(({ layer }) => windows.layer(encoderLayer(manifest, layer)!.shape));
    const floats = layers.map(({ components }, i) => components * this._grids[i]!.rows * this._grids[i]!.columns);
    this._bytes = 4 * floats.reduce((sum, length) => sum + length, 0);
    if (this._bytes > MAPS_MAX) {
      const { rows, columns } = windows.size;
      throw new BridgeError(
        'too-large',
        `The maps of ${rows} × ${columns} pixels would have ${this._bytes} bytes; at most ${MAPS_MAX} will do. ` +
          'Choose fewer components, or the layer output alone.'
      );
    }
    this.maps = layers.map(({ components }, i): ILayerMaps => {
      const { rows, columns, cell } = this._grids[i]!;
      const data = sharedFloats(floats[i]!);
      return { data, components, rows, columns, cell, ...(_origin && { origin: _origin }) };
    });
    this._missing = new Set(Array.from({ length: windows.count }, (_, i) => i));
  }

  /** The maps; cells whose windows are missing hold anything. */
  readonly maps: ISliceMaps;

  /** Bytes in memory: those of the maps, and of windows that later ones are blended with. */
  get bytes(): number {
    return this._bytes + this._heldBytes;
  }

  get isComplete(): boolean {
    return this._missing.size === 0;
  }

  /** Whether the maps are complete under some rectangles of the image. */
  covers(under: readonly Rect[]): boolean {
    return !this._under(under).some(index => this._missing.has(index));
  }

  /**
   * Wait until the maps are complete under some rectangles of the image; under all of it if none are given. Windows that several callers want are made once.
   *
   * @param source makes the windows that are still missing; the latest caller's is used
   * @throws BridgeError `cancelled` if the signal aborts, and the error of a window that failed
   */
  async complete(source: IWindowSource, context: IJobContext, under?: readonly Rect[]): Promise<void> {
    this._source = source;
    const left = new Set(this._under(under).filter(index => this._missing.has(index)));
    if (left.size === 0) {
      return;
    }
    const { signal } = context;
    await new Promise<void>((resolve, reject) => {
      const caller: ICaller = { left, total: left.size, whole: !under, context, resolve, reject };
      const cancel = () => this._leave(caller, new BridgeError('cancelled', 'The request was cancelled.'));
      if (signal.aborted) {
        reject(new BridgeError('cancelled', 'The request was cancelled.'));
        return;
      }
      signal.addEventListener('abort', cancel, { once: true });
      const settle = () => signal.removeEventListener('abort', cancel);
      caller.resolve = () => (settle(), resolve());
      caller.reject = error => (settle(), reject(error));
      this._callers.add(caller);
      context.progress('encoding', 0, caller.total);
      this._next();
    });
  }

  /** Add a window. */
  add(index: number, reduced: ReducedWindow): void {
    if (!this._missing.delete(index)) {
      return;
    }
    this._hold(index, reduced);
    const near = this.windows.near(index);
    this._grids.forEach((grid, i) => {
      const { data, rows, columns, components } = this.maps[i]!;
      const cells = grid.side * grid.side;
      for (let k = 0; k < components; k++) {
        const plane = data.subarray(k * rows * columns, (k + 1) * rows * columns);
        grid.clear(index, plane); // none of these cells was complete
        for (const other of near) {
          const values = this._held.get(other)?.[i];
          if (values) {
            grid.add(other, values.subarray(k * cells, (k + 1) * cells), plane, index);
          }
        }
      }
    });
    for (const other of near) {
      if (!this.windows.near(other).some(each => this._missing.has(each))) {
        this._drop(other);
      }
    }
  }

  /** The windows under rectangles of the image, without repetition; those of the first rectangle first. */
  private _under(rects: readonly Rect[] | undefined): number[] {
    if (!rects) {
      return [...this._missing];
    }
    const { row, column } = this._origin ?? { row: 0, column: 0 };
    const found = rects.flatMap(rect => this._grids.flatMap(grid => grid.under(moved(rect, -row, -column))));
    return [...new Set(found)];
  }

  /** Begin windows that callers wait for. */
  private _next(): void {
    while (this._running.size < AT_ONCE) {
      const next = this._wanted();
      if (next === undefined) {
        return;
      }
      void this._run(next);
    }
  }

  /** The window to make next. */
  private _wanted(): number | undefined {
    const callers = [...this._callers];
    for (const caller of [...callers.filter(({ whole }) => !whole), ...callers.filter(({ whole }) => whole)]) {
      for (const index of caller.left) {
        if (!this._running.has(index)) {
          return index;
        }
      }
    }
    return undefined;
  }

  private async _run(index: number): Promise<void> {
    const controller = new AbortController();
    this._running.set(index, controller);
    const source = this._source!;
    const waiting = () => [...this._callers].filter(({ left }) => left.has(index));
    try {
      const reduced = await source.encode(index, {
        signal: controller.signal,
        urgency: waiting().find(({ context }) => context.urgency === 'now') && 'now',
        // The stage `encoding` counts the windows of each caller.
        progress: (stage, done, total, message) =>
          waiting().forEach(caller =>
            stage === 'encoding'
              ? caller.context.progress(stage, caller.total - caller.left.size, caller.total, message)
              : caller.context.progress(stage, done, total, message)
          )
      });
      this.add(index, reduced);
      this._running.delete(index);
      source.added();
      for (const caller of waiting()) {
        const { left, total, context } = caller;
        left.delete(index);
        context.progress('encoding', total - left.size, total);
        if (left.size === 0) {
          this._callers.delete(caller);
          caller.resolve();
        }
      }
    } catch (error) {
      this._running.delete(index);
      // Callers that came after it was cancelled get it from a new run.
      if (!controller.signal.aborted) {
        waiting().forEach(caller => this._leave(caller, error));
      }
    }
    this._next();
  }

  /** A caller goes. Stop the windows that nobody waits for any more. */
  private _leave(caller: ICaller, error: unknown): void {
    if (this._callers.delete(caller)) {
      caller.reject(error);
      for (const [index, controller] of this._running) {
        if (![...this._callers].some(({ left }) => left.has(index))) {
          controller.abort();
        }
      }
    }
  }

  private _hold(index: number, reduced: ReducedWindow): void {
    this._held.set(index, reduced);
    this._heldBytes += bytesOf(reduced);
  }

  private _drop(index: number): void {
    this._heldBytes -= bytesOf(this._held.get(index) ?? []);
    this._held.delete(index);
  }

  private readonly _grids: readonly LayerGrid[];
  private readonly _bytes: number;
  private readonly _missing: Set<number>;
  /** Windows that are there and overlap missing ones. */
  private readonly _held = new Map<number, ReducedWindow>();
  private _heldBytes = 0;
  private readonly _callers = new Set<ICaller>();
  /** Windows that are being made, and what stops them. */
  private readonly _running = new Map<number, AbortController>();
  private _source: IWindowSource | undefined;
}

function bytesOf(reduced: ReducedWindow): number {
  return reduced.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
