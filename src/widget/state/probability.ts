/** The classifier's probability of one class at each pixel, as a picture over the image. */
import { ISize, ITileRef } from '../base/geometry';
import { ISessionLink } from '../base/session-link';
import { ILevels } from '../tiles/byte-tiles';
import { ClassifierTiles } from './classifier-tiles';

/** The probability of a class, of one session. */
export class ProbabilityOverlay extends ClassifierTiles {
  constructor(options: ProbabilityOverlay.IOptions) {
    super(options.image);
    this._link = options.link;
  }

  /** The class; 0 until one is chosen. */
  get classId(): number {
    return this._classId;
  }

  set classId(classId: number) {
    if (classId !== this._classId) {
      this._classId = classId;
      this.begin();
    }
  }

  /** Whether there is a classifier that does not know the class. */
  get unknown(): boolean {
    return this.version > 0 && this._classId > 0 && this.kind() === null;
  }

  /** Set the classes that the classifier knows, before {@link follow}. */
  set learned(ids: readonly number[]) {
    const knew = this.kind();
    this._learned = ids;
    if (this.kind() !== knew) {
      this.begin();
    }
  }

  protected override kind(): string | null {
    return this._learned.includes(this._classId) ? String(this._classId) : null;
  }

  protected override async load(
    slice: number,
    tiles: ITileRef[],
    signal: AbortSignal,
    level: number
  ): Promise<ILevels> {
    const params = { session: this._link.session, slice, class: this._classId, level, tiles };
    const { result, buffers } = await this._link.request('probability.tiles', params, { signal });
    return { ...result, buffers };
  }

  private readonly _link: ISessionLink;
  private _classId = 0;
  private _learned: readonly number[] = [];
}

/** The namespace for {@link ProbabilityOverlay}. */
export namespace ProbabilityOverlay {
  export interface IOptions {
    image: ISize;
    link: ISessionLink;
  }
}
