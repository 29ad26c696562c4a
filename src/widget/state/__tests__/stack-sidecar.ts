/** A sidecar that lives in the test, with labels on all slices of a stack, steps to undo and a segmentation. Not a test. */
import { deflateRawSync } from 'node:zlib';
import { IRequest, LABEL_TILE, Replaces } from '../../../shared';
import { ISize } from '../../base/geometry';
import { LabelTiles } from '../../labels/label-tiles';
import { decodePatch, encodePatch } from '../../labels/patches';
import { IMaskTile } from '../../labels/raster';
import { FakeSidecar, id } from './fake-sidecar';

const BLANK = new Uint8Array(LABEL_TILE ** 2);

interface IChangedTile {
  slice: number;
  row: number;
  column: number;
  before: Uint8Array | undefined;
  after: Uint8Array | undefined;
}

/** A sidecar of a stack, with steps to undo and a segmentation whose classes no label has. Its answers take their time. */
export class StackSidecar extends FakeSidecar {
  constructor(
    size: ISize,
    slices: number,
    private readonly _random: (below: number) => number
  ) {
    super(size, slices);
    this.drawn = Array.from({ length: slices }, () => new LabelTiles(size));
  }

  /** Requests without an answer. */
  pending = 0;
  /** Whether it does not tell of other peers' patches. */
  silent = false;
  /** The labels of each slice. */
  readonly drawn: LabelTiles[];
  segmentationVersion = 0;

  override get session() {
    const colours = ['#e69f00', '#56b4e9', '#009e73', '#cc79a7'];
    return { ...super.session, classes: colours.map((color, i) => ({ id: i + 1, name: `${i}`, color })) };
  }

  override send(...args: Parameters<FakeSidecar['send']>): void {
    const before = this.methods.length;
    super.send(...args);
    this.pending += this.methods.length - before;
  }

  /** A tile of the segmentation, with the labels on top. */
  composed(slice: number, row: number, column: number): Uint8Array {
    const out = this.drawn[slice]!.tile(row, column)?.slice() ?? new Uint8Array(LABEL_TILE ** 2);
    const first = slice + row + column + this.segmentationVersion;
    for (let at = 0; at < out.length; at++) {
      out[at] ||= ((first + (at >> 4) + (at >> 12)) % 2) + 3;
    }
    return out;
  }

  /** Another peer's patch. */
  draw(slice: number, classId: number, replaces: Replaces, tiles: IMaskTile[]): void {
    const { params, buffers } = encodePatch(id, { slice, classId, replaces, tiles });
    this._patch(slice, classId, replaces, tiles);
    if (this.silent) {
      return;
    }
    this.tell('patch', { origin: 'python', version: this.version, patch: params }, buffers);
  }

  /** Python sets all labels. */
  replaceAll(fill: (tiles: LabelTiles, slice: number) => void): void {
    this.drawn.forEach((tiles, slice) => {
      tiles.clear();
      fill(tiles, slice);
    });
    this._steps.length = this._position = 0;
    this.tell('labels', { session: id, version: ++this.version });
  }

  /** A training ends. */
  train(): void {
    this.tell('segmentation', { session: id, version: ++this.segmentationVersion });
  }

  protected override _emit(header: object, buffers?: Uint8Array[]): void {
    this.pending -= 're' in header ? 1 : 0;
    super._emit(header, buffers);
  }

  protected override _answer(request: IRequest, buffers: Uint8Array[]): void {
    const { id: re, method, params } = request;
    switch (method) {
      case 'labels.patch': {
        const error = this.refuse.shift();
        if (error) {
          this._emit({ re, error });
          return;
        }
        const { slice, classId, replaces, tiles } = decodePatch(params as never, buffers);
        const changed = this._patch(slice, classId, replaces, tiles);
        this._emit({ re, result: { version: this.version, changed } });
        return;
      }
      case 'history.undo':
      case 'history.redo':
        this._move(re, method === 'history.undo');
        return;
      case 'overlay.tiles':
        setTimeout(() => this._overlay(re, params as never), this._random(4));
        return;
      default:
        super._answer(request, buffers);
    }
  }

  private _overlay(
    re: string,
    { overlay, slice, tiles }: { overlay: string; slice: number; tiles?: { row: number; column: number }[] }
  ): void {
    if (overlay === 'segmentation') {
      const buffers = tiles!.map(({ row, column }) => deflateRawSync(this.composed(slice, row, column), { level: 1 }));
      this._emit({ re, result: { version: this.segmentationVersion, tiles } }, buffers);
      return;
    }
    const drawn = this.drawn[slice]!;
    const refs =
      overlay === 'labels' ? drawn.refs.filter(({ row, column }) => drawn.tile(row, column)!.some(Boolean)) : [];
    const buffers = refs.map(({ row, column }) => deflateRawSync(drawn.tile(row, column)!, { level: 1 }));
    this._emit({ re, result: { version: this.version, tiles: refs } }, buffers);
  }

  private _patch(slice: number, classId: number, replaces: Replaces, tiles: IMaskTile[]): number {
    this.version++;
    const drawn = this.drawn[slice]!;
    const copy = (row: number, column: number) => drawn.tile(row, column)?.slice();
    let changed = 0;
    const step = tiles.map(mask => {
      const { row, column } = mask;
      const before = copy(row, column);
      changed += drawn.apply(mask, classId, replaces);
      return { slice, row, column, before, after: copy(row, column) };
    });
    this._steps.splice(this._position++, Infinity, step);
    return changed;
  }

  private _move(re: string, undo: boolean): void {
    const step = this._steps[undo ? this._position - 1 : this._position];
    if (!step) {
      this._emit({ re, error: { code: 'invalid', message: 'There is no step.' } });
      return;
    }
    this._position += undo ? -1 : 1;
    this.version++;
    const ids = step.map(({ before, after }) => (undo ? before : after));
    step.forEach(({ slice, row, column }, i) => this.drawn[slice]!.replace(row, column, ids[i]?.slice()));
    const tiles = step.map(({ slice, row, column }) => ({ slice, row, column }));
    const buffers = ids.map(tile => deflateRawSync(tile ?? BLANK, { level: 1 }));
    this.tell('labels.tiles', { session: id, version: this.version, tiles }, buffers);
    this._emit({ re, result: { version: this.version, changed: 1 } });
  }

  private readonly _steps: IChangedTile[][] = [];
  private _position = 0;
}
