/**
 * From pixels to the encoder's input: scale intensities to 0–255, turn grey into RGB, resize with an antialiasing bilinear (triangle) filter so
 * that the longer side fills the frame, normalise, pad with zeros on the right and below.
 *
 * The filter is separable: output pixel i is the mean of the input under a triangle centred at (i + ½)·s, of half width
 * max(s, 1) for input pixels per output pixel s. Rows are added one after the other, so the whole image is never in memory.
 *
 * For prompts the contrast is stretched, and where an image is enlarged the triangle is wider than its pixels: noise and low contrast
 * make SAM take the whole image for the object (docs/measurements.md, "What the encoder sees"). The contrast that the user chose comes before.
 */
import type { Contrast } from '../shared/contrast';
import { IPromptModel } from '../shared/models';
import { frameSize, ISize } from './prompts';

/** The values shown as black and white. */
export interface IDisplayRange {
  low: number;
  high: number;
}

/** A range alone, or how the user shows the image. */
export type ISeenContrast = IDisplayRange & Partial<Contrast>;

/** The weights of one output position for the inputs from `start` on; they sum to 1. */
export interface ITaps {
  start: number;
  weights: Float64Array;
}

/** Changes with what the encoder is given for prompts: embeddings that are kept are of one version. */
export const PROMPT_INPUT_VERSION = 1;

/** Half width, in pixels of the image, of the triangle for prompts where the image is enlarged twice or more: that of a Gaussian of σ = 1, by √6. */
const PROMPT_HALF_WIDTH = 2.45;

/** The parts of the values for prompts that become black and white. */
const PROMPT_DARKEST = 0.01;
const PROMPT_BRIGHTEST = 0.99;

/** Steps of gamma's table between two greys of 0–255: together those of 16 bits. */
const TONES_PER_GREY = 257;

/** A range narrower than this, of 0–255, is not stretched further: a flat image would become its noise. */
const PROMPT_RANGE_MIN = 16;

/**
 * The triangle filter's weights from `input` positions, or those from `begin` to `end` of them, to `output` positions. The half width is at least
 * `narrowest` positions of the input.
 */
export function triangleFilter(input: number, output: number, begin = 0, end = input, narrowest = 1): ITaps[] {
  const scale = (end - begin) / output;
  const support = Math.max(scale, narrowest);
  return Array.from({ length: output }, (_, index) => {
    const centre = begin + (index + 0.5) * scale;
    const start = Math.max(0, Math.floor(centre - support + 0.5));
    const weights = new Float64Array(Math.min(input, Math.floor(centre + support + 0.5)) - start);
    let sum = 0;
    for (let i = 0; i < weights.length; i++) {
      weights[i] = Math.max(0, 1 - Math.abs(start + i + 0.5 - centre) / support);
      sum += weights[i]!;
    }
    return { start, weights: weights.map(weight => weight / sum) };
  });
}

/** A part of an image, fractions of pixels allowed, that is resized to the first `frame` rows and columns of the encoder's frame. */
export interface IView {
  row0: number;
  row1: number;
  column0: number;
  column1: number;
  frame: ISize;
}

/** The view of a whole image. */
export function wholeView(size: ISize, manifest: IPromptModel): IView {
  return {
    row0: 0,
    row1: size.rows,
    column0: 0,
    column1: size.columns,
    frame: frameSize(size, manifest.encoder.size, manifest.encoder.resize)
  };
}

/** Makes the encoder's input from an image given row by row. */
export class Preprocessor {
  /**
   * @param size of the image
   * @param channels values a pixel, 1 or 3
   * @param display intensities that become 0 and 255, and the contrast between them (`src/shared/contrast.ts`); values outside are clipped, NaN becomes `low`
   * @param view the part of the image that is shown; all of it if left out
   * @param forPrompts whether the embedding is for the decoder: smoothed and stretched. Classifiers see the image as it is
   */
  constructor(
    size: ISize,
    channels: number,
    display: ISeenContrast,
    manifest: IPromptModel,
    view: IView = wholeView(size, manifest),
    private readonly _forPrompts = false
  ) {
    if (channels !== 1 && channels !== 3) {
      throw new RangeError(`The image has ${channels} channels; 1 (grey) or 3 (red, green, blue) will do.`);
    }
    this._size = size;
    this._channels = channels;
    this._display = display;
    this._tones = toneTable(display);
    const shown = display.channels ?? [true, true, true];
    this._alone = channels === 3 && shown.filter(Boolean).length === 1 ? shown.indexOf(true) : null;
    this._hidden = channels === 3 && this._alone === null ? [0, 1, 2].filter(channel => !shown[channel]) : [];
    this._manifest = manifest;
    this._frame = view.frame;
    const narrowest = _forPrompts ? promptHalfWidth((view.row1 - view.row0) / view.frame.rows) : 1;
    const isSquashed = _forPrompts && manifest.encoder.resize === 'squash';
    const across = isSquashed ? promptHalfWidth((view.column1 - view.column0) / view.frame.columns) : narrowest;
    this._across = triangleFilter(size.columns, view.frame.columns, view.column0, view.column1, across);
    this._down = triangleFilter(size.rows, view.frame.rows, view.row0, view.row1, narrowest);
    this._sums = new Float32Array(this._frame.rows * this._frame.columns * channels);
    this._scaled = new Float32Array(size.columns * channels);
    this._narrow = new Float32Array(this._frame.columns * channels);
  }

  /** Take the next rows: rows × columns × channels values. */
  add(rows: ArrayLike<number>): void {
    const width = this._size.columns * this._channels;
    if (rows.length % width !== 0 || this._row + rows.length / width > this._size.rows) {
      throw new RangeError(
        `${rows.length} values are not the next rows of an image of ${this._size.rows} × ${this._size.columns}.`
      );
    }
    for (let offset = 0; offset < rows.length; offset += width) {
      this._scale(rows, offset);
      this._resizeAcross();
      this._addDown();
      this._row++;
    }
  }

  /** The encoder's input, float32 [1, 3, side, side], normalised; all rows must have been added. */
  finish(): Float32Array {
    if (this._row !== this._size.rows) {
      throw new RangeError(`${this._row} of ${this._size.rows} rows were given.`);
    }
    if (this._forPrompts) {
      stretch(this._sums);
    }
    const { size: side, mean, std } = this._manifest.encoder;
    const out = new Float32Array(3 * side * side);
    const channels = this._channels;
    for (let channel = 0; channel < 3; channel++) {
      const source = channels === 1 ? 0 : channel;
      const offset = mean[channel]!;
      const factor = 1 / std[channel]!;
      for (let row = 0; row < this._frame.rows; row++) {
        const to = (channel * side + row) * side;
        const from = row * this._frame.columns * channels + source;
        for (let column = 0; column < this._frame.columns; column++) {
          out[to + column] = (this._sums[from + column * channels]! - offset) * factor;
        }
      }
    }
    return out;
  }

  private _scale(values: ArrayLike<number>, offset: number): void {
    const { low, high } = this._display;
    // A flat image has no range; it becomes black, not NaN.
    const factor = high > low ? 255 / (high - low) : 0;
    const scaled = this._scaled;
    for (let i = 0; i < scaled.length; i++) {
      const value = (values[offset + i]! - low) * factor;
      scaled[i] = value > 0 ? (value < 255 ? value : 255) : 0;
    }
    this._tone(scaled);
  }

  /** Apply gamma and inverse to a row of 0–255, then hide channels. */
  private _tone(scaled: Float32Array): void {
    const tones = this._tones;
    if (tones) {
      for (let i = 0; i < scaled.length; i++) {
        scaled[i] = tones[Math.round(scaled[i]! * TONES_PER_GREY)]!;
      }
    }
    if (this._alone !== null) {
      for (let i = 0; i < scaled.length; i += 3) {
        scaled.fill(scaled[i + this._alone]!, i, i + 3);
      }
    }
    for (const channel of this._hidden) {
      for (let i = channel; i < scaled.length; i += 3) {
        scaled[i] = 0;
      }
    }
  }

  private _resizeAcross(): void {
    const channels = this._channels;
    for (let column = 0; column < this._across.length; column++) {
      const { start, weights } = this._across[column]!;
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (let i = 0, at = start * channels + channel; i < weights.length; i++, at += channels) {
          sum += weights[i]! * this._scaled[at]!;
        }
        this._narrow[column * channels + channel] = sum;
      }
    }
  }

  private _addDown(): void {
    const row = this._row;
    const width = this._narrow.length;
    while (this._first < this._down.length && tapsEnd(this._down[this._first]!) <= row) {
      this._first++;
    }
    for (let out = this._first; out < this._down.length && this._down[out]!.start <= row; out++) {
      const { start, weights } = this._down[out]!;
      const weight = weights[row - start] ?? 0;
      const at = out * width;
      for (let i = 0; i < width; i++) {
        this._sums[at + i]! += weight * this._narrow[i]!;
      }
    }
  }

  private readonly _size: ISize;
  private readonly _channels: number;
  private readonly _display: ISeenContrast;
  private readonly _tones: Float32Array | null;
  /** The only channel that is shown, and those that are black; a grey image has neither. */
  private readonly _alone: number | null;
  private readonly _hidden: readonly number[];
  private readonly _manifest: IPromptModel;
  private readonly _frame: ISize;
  private readonly _across: ITaps[];
  private readonly _down: ITaps[];
  private readonly _sums: Float32Array;
  private readonly _scaled: Float32Array;
  private readonly _narrow: Float32Array;
  private _row = 0;
  /** The first output row that needs further input rows. */
  private _first = 0;
}

/** The least half width of the triangle for prompts, for input pixels per output pixel: it grows from 1 at one to its greatest at a half. */
function promptHalfWidth(scale: number): number {
  return 1 + (PROMPT_HALF_WIDTH - 1) * Math.min(Math.max(2 - 2 * scale, 0), 1);
}

/** Stretch values of 0–255 in place, so that all but the darkest and brightest hundredth fill that range. */
function stretch(values: Float32Array): void {
  const bins = new Uint32Array(2560);
  for (let i = 0; i < values.length; i++) {
    bins[Math.min(Math.max(Math.floor(values[i]! * 10), 0), bins.length - 1)]!++;
  }
  const quantile = (part: number) => {
    let below = 0;
    const index = bins.findIndex(count => (below += count) > part * values.length);
    return (index < 0 ? bins.length - 1 : index) / 10;
  };
  let [low, high] = [quantile(PROMPT_DARKEST), quantile(PROMPT_BRIGHTEST)];
  const missing = Math.max(0, PROMPT_RANGE_MIN - (high - low)) / 2;
  [low, high] = [low - missing, high + missing];
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.min(Math.max(((values[i]! - low) / (high - low)) * 255, 0), 255);
  }
}

/** What becomes of the values 0–255, in steps of 1 / {@link TONES_PER_GREY}; null if they stay as they are. */
function toneTable({ gamma = 1, inverse = false }: ISeenContrast): Float32Array | null {
  if (gamma === 1 && !inverse) {
    return null;
  }
  return Float32Array.from({ length: 255 * TONES_PER_GREY + 1 }, (_, i) => {
    const tone = 255 * (i / (255 * TONES_PER_GREY)) ** gamma;
    return inverse ? 255 - tone : tone;
  });
}

function tapsEnd(taps: ITaps): number {
  return taps.start + taps.weights.length;
}

/** An encoder's normalised input, [1, 3, side, side], as values of 0–255, [side, side, 3], for a graph that normalises them itself; padding becomes 0 there. */
export function withoutNormalisation(pixels: Float32Array, manifest: IPromptModel): Float32Array {
  const { size: side, mean, std } = manifest.encoder;
  const out = new Float32Array(pixels.length);
  for (let channel = 0; channel < 3; channel++) {
    const from = channel * side * side;
    for (let i = 0; i < side * side; i++) {
      out[3 * i + channel] = pixels[from + i]! * std[channel]! + mean[channel]!;
    }
  }
  return out;
}
