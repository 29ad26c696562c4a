/** Pictures of overlay tiles: class ids in the colours of their classes, or bytes in a palette, reduced to the view's level. */
import { LABEL_TILE, Lru } from '../../shared';

/** Pictures kept: 256 KiB each at full resolution, less if reduced. */
const KEPT = 512;

/** Reduce a tile of class ids 2^level times. A block takes the first class in it, so that thin strokes stay visible. */
export function reduceClasses(classes: Uint8Array, level: number): Uint8Array {
  if (level === 0) {
    return classes;
  }
  const side = LABEL_TILE >> level;
  const out = new Uint8Array(side * side);
  for (let row = 0, at = 0; row < LABEL_TILE; row++) {
    const base = (row >> level) * side;
    for (let column = 0; column < LABEL_TILE; column++, at++) {
      const target = base + (column >> level);
      if (out[target] === 0) {
        out[target] = classes[at]!;
      }
    }
  }
  return out;
}

/** Reduce a tile of grey levels 2^level times. A block takes its mean. */
export function reduceLevels(levels: Uint8Array, level: number): Uint8Array {
  if (level === 0) {
    return levels;
  }
  const side = LABEL_TILE >> level;
  const sums = new Uint32Array(side * side);
  for (let row = 0, at = 0; row < LABEL_TILE; row++) {
    const base = (row >> level) * side;
    for (let column = 0; column < LABEL_TILE; column++, at++) {
      sums[base + (column >> level)]! += levels[at]!;
    }
  }
  return Uint8Array.from(sums, sum => Math.round(sum / 4 ** level));
}

interface IPicture {
  canvas: HTMLCanvasElement;
  /** Whether the tile has changed since it was drawn. */
  outdated: boolean;
}

/** Draws and keeps the pictures of one overlay. */
export class OverlayPictures {
  constructor(private readonly _reduce = reduceClasses) {}

  /** Whether {@link get} left a picture for the next frame; the caller resets it. */
  late = false;

  /**
   * The picture of a tile at a level. `values` is called only if the picture has to be drawn. After the time `until`, no picture
   * is drawn and the outdated one is returned, so that a frame in which many tiles arrive takes no longer than others.
   */
  get(
    key: string,
    level: number,
    values: () => Uint8Array | undefined,
    until = Infinity
  ): HTMLCanvasElement | undefined {
    const full = `${key}@${level}`;
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
    this._draw(canvas, this._reduce(bytes, level), LABEL_TILE >> level);
    this._pictures.set(full, { canvas, outdated: false });
    return canvas;
  }

  /** A tile changed. */
  invalidate(key: string): void {
    for (let level = 0; level <= LEVEL_MAX; level++) {
      const kept = this._pictures.peek(`${key}@${level}`);
      if (kept) {
        kept.outdated = true;
      }
    }
  }

  /** All tiles changed. */
  invalidateAll(): void {
    for (const kept of this._pictures.values()) {
      kept.outdated = true;
    }
  }

  /** Keep at least the pictures of this many tiles, the number in view. */
  reserve(tiles: number): void {
    this._pictures.limit = Math.max(KEPT, tiles + 64);
  }

  /** The colour of each byte, as 32-bit RGBA pixels in memory order. */
  set palette(palette: Uint32Array) {
    this._palette = palette;
    this.invalidateAll();
  }

  private _draw(canvas: HTMLCanvasElement, values: Uint8Array, side: number): void {
    if (canvas.width !== side) {
      canvas.width = canvas.height = side;
    }
    const data = new ImageData(side, side);
    const pixels = new Uint32Array(data.data.buffer);
    for (let i = 0; i < values.length; i++) {
      pixels[i] = this._palette[values[i]!]!;
    }
    canvas.getContext('2d')!.putImageData(data, 0, 0);
  }

  private readonly _pictures = new Lru<string, IPicture>({ limit: KEPT });
  private _palette: Uint32Array = new Uint32Array(256);
}

/** The coarsest level: tiles of 8² pixels. */
export const LEVEL_MAX = 5;
