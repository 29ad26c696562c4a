/** The classifier's uncertainty of each pixel, as a picture over the image. */
import { UncertaintyMeasure } from '../../shared';
import { ISize, ITileRef } from '../base/geometry';
import { ISessionLink } from '../base/session-link';
import { ILevels } from '../tiles/byte-tiles';
import { ClassifierTiles } from './classifier-tiles';

/** The uncertainty of one session. */
export class UncertaintyOverlay extends ClassifierTiles {
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

  protected override kind(): string {
    return this._measure;
  }

  protected override async load(
    slice: number,
    tiles: ITileRef[],
    signal: AbortSignal,
    level: number
  ): Promise<ILevels> {
    const params = { session: this._link.session, slice, measure: this._measure, level, tiles };
    const { result, buffers } = await this._link.request('uncertainty.tiles', params, { signal });
    return { ...result, buffers };
  }

  private readonly _link: ISessionLink;
  private _measure: UncertaintyMeasure = 'margin';
}

/** The namespace for {@link UncertaintyOverlay}. */
export namespace UncertaintyOverlay {
  export interface IOptions {
    image: ISize;
    link: ISessionLink;
  }
}
