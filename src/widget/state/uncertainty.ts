/**
 * How unsure the classifier is of each pixel, as a picture over the image. It follows every new segmentation: what was is shown until the
 * new tiles are here.
 */
import { IReply } from '../../kernel-bridge';
import { UncertaintyMeasure } from '../../shared';
import { ISize, ITileRef } from '../base/geometry';
import { ILevels, PreviewTiles } from '../tiles/byte-tiles';

/** What a request asks for. */
export interface IUncertaintyTiles {
  slice: number;
  measure: UncertaintyMeasure;
  tiles: ITileRef[];
}

/** The uncertainty of one session. */
export class UncertaintyOverlay extends PreviewTiles {
  constructor(options: UncertaintyOverlay.IOptions) {
    super(options.image);
    this._fetch = options.fetch;
  }

  get measure(): UncertaintyMeasure {
    return this._measure;
  }

  set measure(measure: UncertaintyMeasure) {
    if (measure !== this._measure) {
      this._measure = measure;
      this.begin();
    }
  }

  /** The segmentation is this one; 0: there is none, and nothing to be unsure of. */
  follow(version: number): void {
    if (version === this._version) {
      return;
    }
    const before = this._version;
    this._version = version;
    if (before === 0 || version < before || this.state.state === 'failed') {
      this._generation += version === 0 || version < before ? 1 : 0; // not those of a classifier that was set aside
      this.begin();
    } else if (this.shown) {
      this.emitChanged();
    }
  }

  protected override get version(): number {
    return this._version;
  }

  protected override what(): string | null {
    return this._version === 0 ? null : `${this._measure} ${this._generation}`;
  }

  protected override async load(slice: number, tiles: ITileRef[], signal: AbortSignal): Promise<ILevels> {
    const { result, buffers } = await this._fetch({ slice, measure: this._measure, tiles }, signal);
    return { ...result, buffers };
  }

  private readonly _fetch: UncertaintyOverlay.IOptions['fetch'];
  private _measure: UncertaintyMeasure = 'margin';
  private _version = 0;
  private _generation = 0;
}

/** The namespace for {@link UncertaintyOverlay}. */
export namespace UncertaintyOverlay {
  export interface IOptions {
    image: ISize;
    fetch(wanted: IUncertaintyTiles, signal: AbortSignal): Promise<IReply<'uncertainty.tiles'>>;
  }
}
