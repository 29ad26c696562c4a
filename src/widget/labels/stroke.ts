/** A stroke of the brush while it is drawn: it paints its pixels at once and gathers them for one patch. */
import { LABEL_TILE, MadeBy, Rect, Replaces } from '../../shared';
import { IPoint, ISize, ITileRef, tileKey } from '../base/geometry';
import { LabelTiles } from './label-tiles';
import { IMaskedPatch } from './patches';
import { brushRuns, contourRuns, EmitRun, MaskBuilder } from './raster';

/** A stroke; `LabelStore.stroke` begins one. */
export class Stroke {
  constructor(options: Stroke.IOptions) {
    this._options = options;
    this._mask = new MaskBuilder(options.image);
  }

  /** The slice that it is on. */
  get slice(): number {
    return this._options.slice;
  }

  /** Draw from one point of the image to another. What the line before has covered is not painted again. */
  line(from: IPoint, to: IPoint, radius: number): void {
    const before = this._line;
    this._line = new Map();
    this._paint(emit =>
      brushRuns(from, to, radius, this._options.image, (row, start, end) => {
        const [first, last] = before.get(row) ?? [end, end];
        if (!this._line.has(row)) {
          this._line.set(row, [start, end]);
        }
        if (last <= start || first >= end) {
          emit(row, start, end);
          return;
        }
        if (start < first) {
          emit(row, start, first);
        }
        if (last < end) {
          emit(row, last, end);
        }
      })
    );
  }

  /** Draw the inside of a closed contour, by the even-odd rule. */
  fill(contour: readonly IPoint[]): void {
    this._paint(emit => contourRuns(contour, this._options.image, emit));
  }

  private _paint(draw: (emit: EmitRun) => void): void {
    const { tiles, classId, replaces } = this._options;
    const touched = new Map<number, ITileRef>();
    const area = { row0: Infinity, row1: -Infinity, column0: Infinity, column1: -Infinity };
    draw((row, start, end) => {
      this._keep(row, start, end, touched);
      this._mask.addRun(row, start, end);
      tiles.paintRun(row, start, end, classId, replaces);
      area.row0 = Math.min(area.row0, row);
      area.row1 = Math.max(area.row1, row + 1);
      area.column0 = Math.min(area.column0, start);
      area.column1 = Math.max(area.column1, end);
    });
    // Where there are no labels, an eraser changes nothing.
    const painted = [...touched.values()].filter(({ row, column }) => tiles.tile(row, column));
    if (painted.length > 0) {
      this._options.painted(painted, area);
    }
  }

  /** The stroke so far, as a patch. */
  patch(): IMaskedPatch {
    const { slice, classId, replaces, made } = this._options;
    return { slice, classId, replaces, tiles: this._mask.tiles(), made };
  }

  /** End the stroke and send it. `released` is when the pointer was lifted, in milliseconds. */
  end(released: number | null = null): void {
    this._options.ended(this.patch(), released);
  }

  /** Give its tiles the labels from before the stroke, and do not send it. */
  drop(): void {
    const tiles = [...this._before.values()];
    for (const { row, column, classes } of tiles) {
      this._options.tiles.replace(row, column, classes);
    }
    this._options.dropped(tiles);
  }

  /** Keep the tiles of a run as they are before the stroke paints on them, and add them to those that are touched. */
  private _keep(row: number, start: number, end: number, touched: Map<number, ITileRef>): void {
    const tileRow = Math.floor(row / LABEL_TILE);
    for (let column = Math.floor(start / LABEL_TILE); column * LABEL_TILE < end; column++) {
      const key = tileKey(tileRow, column);
      touched.set(key, { row: tileRow, column });
      if (!this._before.has(key)) {
        const classes = this._options.tiles.tile(tileRow, column);
        this._before.set(key, { row: tileRow, column, classes: classes && new Uint8Array(classes) });
      }
    }
  }

  private readonly _options: Stroke.IOptions;
  private readonly _mask: MaskBuilder;
  /** First and last column, exclusive, that the last line covers in each row. */
  private _line = new Map<number, [number, number]>();
  private readonly _before = new Map<number, ITileRef & { classes: Uint8Array | undefined }>();
}

/** The namespace for {@link Stroke}. */
export namespace Stroke {
  export interface IOptions {
    image: ISize;
    /** The labels of the slice, which the stroke changes. */
    tiles: LabelTiles;
    slice: number;
    /** 0 erases. */
    classId: number;
    /** The labels that it may change. */
    replaces: Replaces;
    /** What makes it. */
    made: MadeBy;
    /** Called after each line with the tiles that it touched, and with a rectangle around what it painted. */
    painted(tiles: ITileRef[], area: Rect): void;
    /** Called with the whole stroke at its end. */
    ended(patch: IMaskedPatch, released: number | null): void;
    /** Called instead if the stroke was dropped, with the tiles that have their old labels again. */
    dropped(tiles: ITileRef[]): void;
  }
}
