/** Tiles of class ids as pictures in the colours of the classes, and tiles of grey levels, reduced where the view is. */
import { LABEL_TILE, Lru } from '../../shared';

/** Pictures kept: 256 KiB each at full resolution, less when reduced. */
const KEPT = 512;

/**
 * Reduce a tile of class ids 2^level times: a block takes the first class found in it, so that thin strokes stay in sight.
 */
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

/** Reduce a tile of grey levels 2^level times: a block takes its mean. */
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
  /** Whether it shows what was. */
  old: boolean;
}

/** Draws and keeps pictures of tiles of bytes. */
export class OverlayPictures {
  constructor(private readonly _reduce = reduceClasses) {}

  /** Whether pictures had to be left for the next frame since this was last reset. */
  late = false;

  /**
   * The picture of a tile at a level; `values` is only called when it has to be drawn. After `until` nothing is drawn any more: what was is
   * shown once more, so that a frame in which many tiles come takes no longer than others.
   */
  get(
    key: string,
    level: number,
    values: () => Uint8Array | undefined,
    until = Infinity
  ): HTMLCanvasElement | undefined {
    const full = `${key}@${level}`;
    const kept = this._pictures.get(full);
    if (kept && !kept.old) {
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
    this._pictures.set(full, { canvas, old: false });
    return canvas;
  }

  /** A tile changed. */
  invalidate(key: string): void {
    for (let level = 0; level <= LEVEL_MAX; level++) {
      const kept = this._pictures.peek(`${key}@${level}`);
      if (kept) {
        kept.old = true;
      }
    }
  }

  /** All tiles changed. */
  invalidateAll(): void {
    for (const kept of this._pictures.values()) {
      kept.old = true;
    }
  }

  /** The number of tiles in view changed: keep at least as many as one view shows. */
  reserve(tiles: number): void {
    this._pictures.limit = Math.max(KEPT, tiles + 64);
  }

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

/** Tiles are not reduced to less than 8² pixels. */
export const LEVEL_MAX = 5;
