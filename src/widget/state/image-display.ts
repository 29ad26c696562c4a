/**
 * How the image is shown: range of grey values, gamma, inverse, channels. SAM sees the same; features and training use the image's own values. It is
 * remembered for each image, by this browser, and kept with the session.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, Contrast, GAMMA, ImageInfo, Result } from '../../shared';
import { ISessionLink } from '../base/session-link';
import { recall, remember } from '../base/remembered';
import { IRange, rangeToSend } from '../tiles/display-map';
import type { ILook } from '../tiles/image-tiles';
import { SharedContrast } from './shared-contrast';

/** The image's histogram, and ranges without its rarest values. */
export type Histogram = Result<'image.histogram'>;

/** Milliseconds after the last change of the range before tiles of another range are requested. */
const SETTLE_MS = 150;

/** How one image is shown. */
export class ImageDisplay implements IDisposable {
  constructor(options: ImageDisplay.IOptions) {
    const { image, link, contrast = null } = options;
    this.usual = image.display;
    this.channels = image.shape[3];
    this.dtype = image.dtype;
    this._link = link;
    this._key = `display ${image.digest}`;
    this._values = this._auto();
    this._sent = this.usual;
    const kept = recall(this._key);
    if (kept !== null && typeof kept === 'object') {
      this._values = { ...this._values, ...checked(kept as Partial<Contrast>, this._values) };
    } else if (contrast) {
      this._values = { ...this._values, ...checked(contrast, this._values) };
    }
    this._sent = this._rangeToSend();
    this._shared = new SharedContrast(
      link,
      contrast,
      shown => this._show(shown ?? this._auto()),
      () => this._changed.emit()
    );
    this._shared.set(this._contrast);
  }

  /** The range that is shown by default. */
  readonly usual: IRange;
  /** Channels of the image. */
  readonly channels: number;
  readonly dtype: ImageInfo['dtype'];

  /** Emits when the display or the histogram changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get values(): Contrast {
    return this._values;
  }

  /** Whether the range is the usual one. */
  get auto(): boolean {
    return this._values.low === this.usual.low && this._values.high === this.usual.high;
  }

  /** Whether anything is shown in another way than by default. */
  get plain(): boolean {
    const { gamma, inverse, channels } = this._values;
    return this.auto && gamma === 1 && !inverse && !channels.includes(false);
  }

  /** How tiles are shown now. */
  get look(): ILook {
    return { range: this._sent, display: this._values };
  }

  /** How tiles are shown by default. */
  get first(): ILook {
    return { range: this.usual, display: this._auto() };
  }

  /** The histogram; null until it has arrived. */
  get histogram(): Histogram | null {
    return this._histogram;
  }

  /** Why there is no histogram, or SAM does not see what is shown; null if nothing is wrong. */
  get problem(): string | null {
    return this._problem ?? this._shared.problem;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Set some values. A range whose low end is not below its high end, or infinitely far below it, is ignored, and so are other invalid values. */
  set(values: Partial<Contrast>): void {
    const next = { ...this._values, ...checked(values, this._values) };
    if (JSON.stringify(next) === JSON.stringify(this._values)) {
      return;
    }
    this._show(next);
    this._shared.set(this._contrast);
  }

  /** The session has this contrast; null: the usual one. It is shown if another labeller chose it. */
  take(contrast: Contrast | null): void {
    this._shared.take(contrast);
  }

  /** Show the image as by default. */
  reset(): void {
    this.set(this._auto());
  }

  private _show(next: Contrast): void {
    this._values = next;
    remember(this._key, this._contrast);
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._settle(), SETTLE_MS);
    this._changed.emit();
  }

  /** Request the histogram, unless it is here or on its way. */
  async loadHistogram(): Promise<void> {
    if (this._histogram || this._asking) {
      return;
    }
    this._asking = true;
    try {
      const { result } = await this._link.request('image.histogram', { session: this._link.session });
      this._histogram = result;
      this._problem = null;
    } catch (reason) {
      this._problem = BridgeError.from(reason).message;
    } finally {
      this._asking = false;
    }
    if (!this._disposed) {
      this._changed.emit();
    }
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearTimeout(this._timer);
      this._shared.dispose();
      Signal.clearData(this);
    }
  }

  /** What is shown, null if it is as by default. */
  private get _contrast(): Contrast | null {
    return this.plain ? null : this._values;
  }

  private _auto(): Contrast {
    return { ...this.usual, gamma: 1, inverse: false, channels: [true, true, true] };
  }

  private _rangeToSend(): IRange {
    return this.dtype === 'uint8' ? this.usual : rangeToSend(this.usual, this._values);
  }

  private _settle(): void {
    const range = this._rangeToSend();
    if (range.low !== this._sent.low || range.high !== this._sent.high) {
      this._sent = range;
      this._changed.emit();
    }
  }

  private readonly _link: ISessionLink;
  private readonly _shared: SharedContrast;
  private readonly _key: string;
  private readonly _changed = new Signal<this, void>(this);
  private _values: Contrast;
  /** The range of the tiles that are requested. */
  private _sent: IRange;
  private _histogram: Histogram | null = null;
  private _problem: string | null = null;
  private _asking = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

/** The valid ones of some values. */
function checked(values: Partial<Contrast>, before: Contrast): Partial<Contrast> {
  const out: Partial<Contrast> = {};
  const { low = before.low, high = before.high, gamma, inverse, channels } = values;
  if ([low, high, high - low].every(Number.isFinite) && low < high) {
    Object.assign(out, { low, high });
  }
  if (typeof gamma === 'number' && gamma >= GAMMA.minimum && gamma <= GAMMA.maximum) {
    out.gamma = gamma;
  }
  if (typeof inverse === 'boolean') {
    out.inverse = inverse;
  }
  if (Array.isArray(channels) && channels.length === 3 && channels.includes(true)) {
    out.channels = channels as unknown as Contrast['channels'];
  }
  return out;
}

/** The namespace for {@link ImageDisplay}. */
export namespace ImageDisplay {
  export interface IOptions {
    image: ImageInfo;
    link: ISessionLink;
    /** The contrast of the session; null: the usual one. */
    contrast?: Contrast | null;
  }
}
