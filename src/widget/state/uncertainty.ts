/**
 * The classifier's uncertainty of each pixel, as a picture over the image. After each new segmentation its tiles are fetched again;
 * the old ones are shown until then.
 */
import { UncertaintyMeasure } from '../../shared';
import { ISize, ITileRef } from '../base/geometry';
import { ISessionLink } from '../base/session-link';
import { ILevels, ByteTiles } from '../tiles/byte-tiles';

/** The uncertainty of one session. */
export class UncertaintyOverlay extends ByteTiles {
  constructor(options: UncertaintyOverlay.IOptions) {
    super(options.image);
    this._link = options.link;
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

  /** Follow the segmentation's version; 0 if there is none, and no uncertainty either. */
  follow(version: number): void {
    if (version === this._version) {
      return;
    }
    const before = this._version;
    this._version = version;
    if (before === 0 || version < before || this.state.state === 'failed') {
      this._generation += version === 0 || version < before ? 1 : 0; // drop the tiles of the old classifier
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
    const params = { session: this._link.session, slice, measure: this._measure, tiles };
    const { result, buffers } = await this._link.request('uncertainty.tiles', params, { signal });
    return { ...result, buffers };
  }

  private readonly _link: ISessionLink;
  private _measure: UncertaintyMeasure = 'margin';
  private _version = 0;
  private _generation = 0;
}

/** The namespace for {@link UncertaintyOverlay}. */
export namespace UncertaintyOverlay {
  export interface IOptions {
    image: ISize;
    link: ISessionLink;
  }
}
