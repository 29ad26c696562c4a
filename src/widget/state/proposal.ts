/**
 * An object that is proposed: as SAM drew it, by which proposals are compared with each other, and in the shape that the user chose for suggestions, which is
 * what is shown and what is taken. No DOM here.
 */
import { IObjectShape, PLAIN_SHAPE } from '../../sam';
import { Rect } from '../../shared';
import { IProposed } from './object-group';
import { IPixel, Suggestion } from './suggestion';

/** An object in two shapes; immutable. */
export class Proposal implements IProposed {
  /**
   * @param plain the object as SAM drew it
   * @param shape the shape in which it is shown
   * @param _draw draws it in a shape, for as long as the pixels of the image that this needs are known
   * @param _shown the object in `shape`; absent: it is drawn
   */
  constructor(
    readonly plain: IProposed,
    readonly shape: Readonly<IObjectShape>,
    private readonly _draw: (shape: Readonly<IObjectShape>) => IProposed,
    private readonly _shown = _draw(shape)
  ) {}

  /** What SAM suggests at a place. @param greys of the slice, as suggestions have them */
  static of(
    suggestion: Suggestion,
    shape: Readonly<IObjectShape>,
    greys?: (rect: Rect) => Float32Array | null
  ): Proposal {
    return new Proposal(suggestion.inShape(PLAIN_SHAPE), shape, wanted => suggestion.inShape(wanted, greys));
  }

  /** The same object in another shape. It takes some milliseconds to draw. */
  inShape(shape: Readonly<IObjectShape>): Proposal {
    return new Proposal(this.plain, shape, this._draw);
  }

  get at(): IPixel {
    return this._shown.at;
  }

  get bounds(): Rect {
    return this._shown.bounds;
  }

  region(region: Rect, level = 0): Uint8Array {
    return this._shown.region(region, level);
  }

  contains(at: IPixel): boolean {
    return this._shown.contains(at);
  }
}
