/**
 * The image's own values of the pixel under the pointer: read from the tiles where these have them exactly, else asked of the sidecar, one
 * pixel at a time.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { ImageInfo } from '../../shared';
import { ISessionLink } from '../base/session-link';
import type { ImageTiles } from '../tiles/image-tiles';

/** A pixel of a slice. */
export interface ISlicePixel {
  slice: number;
  row: number;
  column: number;
}

/** The values of single pixels of one image. */
export class PixelValues implements IDisposable {
  constructor(options: PixelValues.IOptions) {
    this._options = options;
  }

  /** Emits when the values of the pixel that was wanted last have arrived. */
  get arrived(): ISignal<this, void> {
    return this._arrived;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** The values of a pixel, one for each channel; null if they are not known yet: {@link arrived} tells when. */
  of(pixel: ISlicePixel): number[] | null {
    const read = this._read(pixel);
    if (read) {
      return read;
    }
    if (this._known && isSame(this._known.pixel, pixel)) {
      return this._known.values;
    }
    this._wanted = pixel;
    void this._ask();
    return null;
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._wanted = null;
      Signal.clearData(this);
    }
  }

  /** The values as the tiles have them; null if these are missing, or scaled to 16 bits so that they would not be exact. */
  private _read({ slice, row, column }: ISlicePixel): number[] | null {
    const { tiles, dtype } = this._options;
    const found = tiles.at(slice, row, column);
    if (!found || found.dtype === 'uint8') {
      return found?.stored ?? null;
    }
    const { low, high } = found.range;
    const exact = !dtype.startsWith('float') && high - low <= 65535;
    // The first and the last number also stand for all values beyond the range.
    return exact && found.stored.every(stored => stored > 0 && stored < 65535)
      ? found.stored.map(stored => Math.round(low + (stored / 65535) * (high - low)))
      : null;
  }

  private async _ask(): Promise<void> {
    if (this._asking) {
      return;
    }
    this._asking = true;
    const { link } = this._options;
    while (this._wanted) {
      const pixel = this._wanted;
      try {
        const { result } = await link.request('image.pixel', { session: link.session, ...pixel });
        this._known = { pixel, values: result.values };
      } catch {
        this._known = null; // the status line says what is wrong with the connection
      }
      if (this._wanted && isSame(this._wanted, pixel)) {
        this._wanted = null;
        if (this._known) {
          this._arrived.emit();
        }
      }
    }
    this._asking = false;
  }

  private readonly _options: PixelValues.IOptions;
  private readonly _arrived = new Signal<this, void>(this);
  private _known: { pixel: ISlicePixel; values: number[] } | null = null;
  private _wanted: ISlicePixel | null = null;
  private _asking = false;
  private _disposed = false;
}

function isSame(a: ISlicePixel, b: ISlicePixel): boolean {
  return a.slice === b.slice && a.row === b.row && a.column === b.column;
}

/** The namespace for {@link PixelValues}. */
export namespace PixelValues {
  export interface IOptions {
    dtype: ImageInfo['dtype'];
    tiles: Pick<ImageTiles, 'at'>;
    link: ISessionLink;
  }
}
