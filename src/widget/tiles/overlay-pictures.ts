/**
 * Pictures of overlay tiles: class ids in the colours of their classes, or bytes in a palette, reduced to the view's level; or the contours
 * of both, which are enlarged where the view is.
 */
import { LABEL_TILE, Lru } from '../../shared';
import { release } from '../base/dom';
import { reduceClasses } from '../labels/reduce';
import { contoursOf, ISurroundings, overHalf } from './contours';

/** Bytes of pictures kept of an overlay; more if those in view have more. A picture of full resolution has 256 KiB. */
const BYTES_MAX = 32 << 20;

/** Reduce a tile of grey levels, or whole blocks of its rows, 2^level times. A block takes its mean. */
export function reduceLevels(levels: Uint8Array, level: number): Uint8Array {
  if (level === 0) {
    return levels;
  }
  const side = LABEL_TILE >> level;
  const sums = new Uint32Array(levels.length >> (2 * level));
  for (let row = 0, at = 0; at < levels.length; row++) {
    const base = (row >> level) * side;
    for (let column = 0; column < LABEL_TILE; column++, at++) {
      sums[base + (column >> level)]! += levels[at]!;
    }
  }
  return Uint8Array.from(sums, sum => Math.round(sum / 4 ** level));
}

/** The pixels of the picture that is being drawn: a stroke draws some in each frame, and new memory each time would be much to collect. */
let scratch = new Uint32Array(LABEL_TILE * LABEL_TILE);

/** What is around a tile, in full resolution; its contours need it. */
export type Surroundings = () => ISurroundings;

/** Rows of a tile; `to` is exclusive. */
export interface IRows {
  from: number;
  to: number;
}

const ALL_ROWS: IRows = { from: 0, to: LABEL_TILE };

interface IPicture {
  canvas: HTMLCanvasElement;
  /** The tile's values that it was drawn from; others in their place have no row in common with it. */
  bytes: Uint8Array;
  /** The rows of the tile that have changed since it was drawn. */
  outdated: IRows | null;
}

/** Draws and keeps the pictures of one overlay. */
export class OverlayPictures {
  /** @param _reduce reduces tiles; contours of tiles that are reduced by their mean go around what is over one half */
  constructor(private readonly _reduce = reduceClasses) {}

  /** Whether {@link get} left a picture for the next frame; the caller resets it. */
  late = false;

  /**
   * The picture of a tile at a level. `values` is called only if the picture has to be drawn. After the time `until`, no picture
   * is drawn and the outdated one is returned, so that a frame in which many tiles arrive takes no longer than others. With `around`, it
   * is a picture of the contours, and the level may be negative.
   */
  get(
    key: string,
    level: number,
    values: () => Uint8Array | undefined,
    until = Infinity,
    around?: Surroundings
  ): HTMLCanvasElement | undefined {
    const full = nameOf(key, level, around !== undefined);
    const kept = this._pictures.get(full);
    if (kept && !kept.outdated) {
      return kept.canvas;
    }
    if (performance.now() > until) {
      this.late = true;
      return kept?.canvas;
    }
    const bytes = values();
    if (!bytes) {
      this._pictures.delete(full);
      return undefined;
    }
    const canvas = kept?.canvas ?? document.createElement('canvas');
    const by = 2 ** level;
    if (around) {
      this._draw(canvas, this._contours(bytes, level, around()), LABEL_TILE / by, 0);
    } else {
      const { from, to } = (kept?.bytes === bytes && kept.outdated) || ALL_ROWS;
      const row = Math.floor(from / by);
      const rows = bytes.subarray(row * by * LABEL_TILE, Math.ceil(to / by) * by * LABEL_TILE);
      this._draw(canvas, this._reduce(rows, level), LABEL_TILE / by, row);
    }
    this._pictures.set(full, { canvas, bytes, outdated: null });
    return canvas;
  }

  /** A tile changed, or only these rows of it. */
  invalidate(key: string, rows = ALL_ROWS): void {
    for (let level = LEVEL_MIN; level <= LEVEL_MAX; level++) {
      for (const contours of [false, true]) {
        const kept = this._pictures.peek(nameOf(key, level, contours));
        if (kept) {
          const { from, to } = kept.outdated ?? rows;
          kept.outdated = { from: Math.min(from, rows.from), to: Math.max(to, rows.to) };
        }
      }
    }
  }

  /** All tiles changed. */
  invalidateAll(): void {
    for (const kept of this._pictures.values()) {
      kept.outdated = ALL_ROWS;
    }
  }

  /** Bytes kept. */
  get bytes(): number {
    return this._pictures.weight;
  }

  /** Keep at least the pictures of this many tiles, the number in view, at this level, and a quarter more for the next move. */
  reserve(tiles: number, level = 0): void {
    const side = LABEL_TILE * 2 ** -level;
    this._pictures.limit = Math.max(BYTES_MAX, Math.ceil(1.25 * tiles) * 4 * side * side);
  }

  /** The colour of each byte, as 32-bit RGBA pixels in memory order. */
  set palette(palette: Uint32Array) {
    this._palette = palette;
    this.invalidateAll();
  }

  private _contours(bytes: Uint8Array, level: number, around: ISurroundings): Uint8Array {
    const classes = this._reduce === reduceClasses;
    const reduced = (tile: Uint8Array) => {
      const values = this._reduce(tile, Math.max(level, 0));
      return classes ? values : overHalf(values);
    };
    const { above, below, left, right } = around;
    const by = 2 ** Math.max(level, 0);
    return contoursOf(
      reduced(bytes),
      LABEL_TILE / by,
      {
        rows: Math.ceil(around.rows / by),
        columns: Math.ceil(around.columns / by),
        above: above && reduced(above),
        below: below && reduced(below),
        left: left && reduced(left),
        right: right && reduced(right)
      },
      2 ** Math.max(-level, 0)
    );
  }

  /** Draw values on a canvas of this width and height, from a row on. */
  private _draw(canvas: HTMLCanvasElement, values: Uint8Array, side: number, row: number): void {
    if (canvas.width !== side) {
      canvas.width = canvas.height = side;
    }
    if (scratch.length < values.length) {
      scratch = new Uint32Array(values.length);
    }
    const pixels = scratch.subarray(0, values.length);
    for (let i = 0; i < values.length; i++) {
      pixels[i] = this._palette[values[i]!]!;
    }
    const bytes = new Uint8ClampedArray(pixels.buffer, 0, pixels.byteLength);
    canvas.getContext('2d')!.putImageData(new ImageData(bytes, side, values.length / side), 0, row);
  }

  private readonly _pictures = new Lru<string, IPicture>({
    limit: BYTES_MAX,
    weight: ({ canvas }) => 4 * canvas.width * canvas.height,
    onEvict: (_, { canvas }) => release(canvas)
  });
  private _palette: Uint32Array = new Uint32Array(256);
}

/** The coarsest level: tiles of 8² pixels. */
export const LEVEL_MAX = 5;
/** The finest level, for contours: tiles of 1024² pixels. */
export const LEVEL_MIN = -2;

function nameOf(key: string, level: number, contours: boolean): string {
  return `${key}@${level}${contours ? ' contours' : ''}`;
}
