/**
 * Canvases of jsdom that keep their pixels: what the lower layer of a view is drawn with, and no more. A pixel is not a colour but a number that
 * tells all that was drawn on it since it was cleared, in order, so that no two drawings look the same by chance. Not a test.
 */

interface IBox {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** Draws on a canvas. Coordinates are whole device pixels, as those of the layers are. */
class PixelContext {
  constructor(readonly canvas: HTMLCanvasElement) {}

  globalAlpha = 1;

  /** The pixels; a canvas that was resized is blank. */
  get pixels(): Uint32Array {
    const { width, height } = this.canvas;
    if (this._width !== width || this._pixels.length !== width * height) {
      this._pixels = new Uint32Array(width * height);
      this._width = width;
    }
    return this._pixels;
  }

  save(): void {
    this._saved.push(this._clip);
  }

  restore(): void {
    this._clip = this._saved.pop() ?? null;
  }

  beginPath(): void {
    this._path = null;
  }

  rect(x: number, y: number, width: number, height: number): void {
    this._path = { x0: x, y0: y, x1: x + width, y1: y + height };
  }

  clip(): void {
    this._clip = this._path && this._within(this._path);
  }

  clearRect(x: number, y: number, width: number, height: number): void {
    const { x0, y0, x1, y1 } = this._within({ x0: x, y0: y, x1: x + width, y1: y + height });
    const { pixels } = this;
    const { width: across } = this.canvas;
    for (let row = y0; row < y1; row++) {
      pixels.fill(0, row * across + x0, row * across + x1);
    }
  }

  putImageData({ data, width, height }: ImageData, x: number, y: number): void {
    const from = new Uint32Array(data.buffer, data.byteOffset, width * height);
    const { pixels } = this;
    const { width: across } = this.canvas;
    for (let row = 0; row < height; row++) {
      pixels.set(from.subarray(row * width, (row + 1) * width), (y + row) * across + x);
    }
  }

  /** Draw a part of another canvas, without smoothing. */
  drawImage(image: HTMLCanvasElement, ...[sx, sy, sw, sh, x, y, width, height]: number[]): void {
    const source = (image.getContext('2d') as unknown as PixelContext).pixels;
    const target = { x0: x!, y0: y!, x1: x! + width!, y1: y! + height! };
    const { x0, y0, x1, y1 } = this._within(target);
    const { pixels } = this;
    const { width: across } = this.canvas; // slow to ask jsdom for
    const { width: step } = image;
    const alpha = Math.round(this.globalAlpha * 1000);
    const places = Int32Array.from({ length: Math.max(0, x1 - x0) }, (_, i) =>
      Math.floor(sx! + ((x0 + i + 0.5 - x!) * sw!) / width!)
    );
    for (let row = y0; row < y1; row++) {
      const line = Math.floor(sy! + ((row + 0.5 - y!) * sh!) / height!) * step;
      for (let i = 0, at = row * across + x0; i < places.length; i++, at++) {
        const value = source[line + places[i]!]!;
        if (value !== 0) {
          pixels[at] = Math.imul(pixels[at]! ^ value ^ alpha, 0x9e3779b1);
        }
      }
    }
  }

  private _within({ x0, y0, x1, y1 }: IBox): IBox {
    const by = this._clip ?? { x0: 0, y0: 0, x1: this.canvas.width, y1: this.canvas.height };
    return {
      x0: Math.max(x0, by.x0, 0),
      y0: Math.max(y0, by.y0, 0),
      x1: Math.min(x1, by.x1, this.canvas.width),
      y1: Math.min(y1, by.y1, this.canvas.height)
    };
  }

  private _pixels = new Uint32Array(0);
  private _width = -1;
  private _path: IBox | null = null;
  private _clip: IBox | null = null;
  private readonly _saved: (IBox | null)[] = [];
}

/** Give each canvas such a context, after `fakePage`. */
export function pixelCanvases(): void {
  const contexts = new WeakMap<HTMLCanvasElement, PixelContext>();
  HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement) {
    const context = contexts.get(this) ?? new PixelContext(this);
    contexts.set(this, context);
    // What it cannot draw is not drawn.
    return new Proxy(context, {
      get: (target, name) => {
        const found: unknown = Reflect.get(target, name, target);
        return typeof found === 'function' ? found.bind(target) : (found ?? (() => undefined));
      },
      set: (target, name, value) => Reflect.set(target, name, value, target)
    });
  } as never;
  Object.assign(globalThis, {
    ImageData: class {
      readonly data: Uint8ClampedArray;
      readonly height: number;
      constructor(
        first: number | Uint8ClampedArray,
        readonly width: number,
        height?: number
      ) {
        this.data = typeof first === 'number' ? new Uint8ClampedArray(first * width * 4) : first;
        this.height = height ?? this.data.length / 4 / width;
      }
    }
  });
}

/** The pixels of a canvas. */
export function pixelsOf(canvas: HTMLCanvasElement): Uint32Array {
  return (canvas.getContext('2d') as unknown as PixelContext).pixels;
}
