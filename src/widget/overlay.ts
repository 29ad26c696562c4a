/** Tiles of class ids as pictures in the colours of the classes, and tiles of grey levels, reduced where the view is. */
import { LABEL_TILE } from '../kernel-bridge';
import { LruCache } from './lru';

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

/** Draws and keeps pictures of tiles of bytes. */
export class OverlayPictures {
  constructor(private readonly _reduce = reduceClasses) {}

  /** The picture of a tile at a level; `values` is only called when it has to be drawn. */
  get(key: string, level: number, values: () => Uint8Array | undefined): HTMLCanvasElement | undefined {
    const full = `${key}@${level}`;
    const kept = this._pictures.get(full);
    if (kept) {
      return kept;
    }
    const bytes = values();
    if (!bytes) {
      return undefined;
    }
    const reduced = this._reduce(bytes, level);
    const side = LABEL_TILE >> level;
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = side;
    const data = new ImageData(side, side);
    const pixels = new Uint32Array(data.data.buffer);
    for (let i = 0; i < reduced.length; i++) {
      pixels[i] = this._palette[reduced[i]!]!;
    }
    canvas.getContext('2d')!.putImageData(data, 0, 0);
    this._pictures.set(full, canvas);
    return canvas;
  }

  /** A tile changed. */
  invalidate(key: string): void {
    for (let level = 0; level <= LEVEL_MAX; level++) {
      this._pictures.delete(`${key}@${level}`);
    }
  }

  /** All tiles changed, or their number in view did: keep at least as many as one view shows. */
  clear(): void {
    this._pictures.clear();
  }

  reserve(tiles: number): void {
    this._pictures.limit = Math.max(KEPT, tiles + 64);
  }

  set palette(palette: Uint32Array) {
    this._palette = palette;
    this.clear();
  }

  private readonly _pictures = new LruCache<string, HTMLCanvasElement>(KEPT);
  private _palette: Uint32Array = new Uint32Array(256);
}

/** Tiles are not reduced to less than 8² pixels. */
export const LEVEL_MAX = 5;
