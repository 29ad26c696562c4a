/** A stroke of the brush while it is drawn: it paints its pixels at once and gathers them for one patch. */
import { LABEL_TILE, MadeBy, Replaces } from '../../shared';
import { IPoint, ISize, ITileRef } from '../base/geometry';
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

  /** Draw from one point of the image to another. */
  line(from: IPoint, to: IPoint, radius: number): void {
    this._paint(emit => brushRuns(from, to, radius, this._options.image, emit));
  }

  /** Draw the inside of a closed contour, by the even-odd rule. */
  fill(contour: readonly IPoint[]): void {
    this._paint(emit => contourRuns(contour, this._options.image, emit));
  }

  private _paint(draw: (emit: EmitRun) => void): void {
    const { tiles, classId, replaces } = this._options;
    const touched = new Map<string, ITileRef>();
    draw((row, start, end) => {
      this._keep(row, start, end);
      this._mask.addRun(row, start, end);
      for (const tile of tiles.paintRun(row, start, end, classId, replaces)) {
        touched.set(`${tile.row}/${tile.column}`, tile);
      }
    });
    if (touched.size > 0) {
      this._options.painted([...touched.values()]);
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

  /** Keep the tiles of a run as they are before the stroke paints on them. */
  private _keep(row: number, start: number, end: number): void {
    const tileRow = Math.floor(row / LABEL_TILE);
    for (let column = Math.floor(start / LABEL_TILE); column * LABEL_TILE < end; column++) {
      const key = `${tileRow}/${column}`;
      if (!this._before.has(key)) {
        const classes = this._options.tiles.tile(tileRow, column);
        this._before.set(key, { row: tileRow, column, classes: classes && new Uint8Array(classes) });
      }
    }
  }

  private readonly _options: Stroke.IOptions;
  private readonly _mask: MaskBuilder;
  private readonly _before = new Map<string, ITileRef & { classes: Uint8Array | undefined }>();
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
    /** Called after each line with the tiles that it touched. */
    painted(tiles: ITileRef[]): void;
    /** Called with the whole stroke at its end. */
    ended(patch: IMaskedPatch, released: number | null): void;
    /** Called instead if the stroke was dropped, with the tiles that have their old labels again. */
    dropped(tiles: ITileRef[]): void;
  }
}
