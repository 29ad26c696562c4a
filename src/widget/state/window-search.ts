/**
 * A search for objects like an example in the windows of slices, which the sidecar does window by window. It can be left, and goes on with the window that
 * it was left at.
 */
import { deflateSync } from 'fflate';
import { areaOf, BridgeError } from '../../shared';
import { packLogits } from '../../sam';
import { ISessionLink } from '../base/session-link';
import { inflate } from '../labels/patches';
import { IProposed, MaskedObject } from './object-group';
import { Suggestion } from './suggestion';

export class WindowSearch {
  constructor(private readonly _options: WindowSearch.IOptions) {}

  /** The part of the windows that has been looked at, 0 to 1. */
  get part(): number {
    return this._at / (this._windows * this._options.slices.length);
  }

  /** Whether all windows have been looked at. */
  get isDone(): boolean {
    return this._at >= this._windows * this._options.slices.length;
  }

  /**
   * Look in the next window.
   *
   * @returns the objects in it, which may overlap with those of other windows; null if SAM does not see the example in windows of its size
   * @throws BridgeError as the sidecar fails; the window is looked at again then
   */
  async next(signal: AbortSignal): Promise<{ slice: number; objects: IProposed[] } | null> {
    const { link, example, slice: own, slices } = this._options;
    const slice = slices[Math.floor(this._at / this._windows)]!;
    const { row, column } = example.at;
    const { result, buffers } = await link.request(
      'sam.similar-window',
      {
        session: link.session,
        slice,
        window: this._at % this._windows,
        example: { slice: own, point: { row, column }, within: example.seen }
      },
      { signal, buffers: [(this._packed ??= deflateSync(packLogits([example.logits])))] }
    );
    if (result.windows === 0) {
      return null;
    }
    const objects = result.objects.map(({ point, rect }, i) => {
      const bytes = buffers[i];
      if (!bytes) {
        throw new BridgeError('malformed', `${result.objects.length} objects came with ${buffers.length} masks.`);
      }
      return new MaskedObject(point, rect, inflate(bytes, areaOf(rect)));
    });
    this._windows = result.windows;
    this._at++;
    return { slice, objects };
  }

  /** The number of windows looked at. */
  private _at = 0;
  /** Windows of a slice; the first answer says how many there are. */
  private _windows = 1;
  /** The example's mask, as it is sent. */
  private _packed: Uint8Array | undefined;
}

/** The namespace for {@link WindowSearch}. */
export namespace WindowSearch {
  export interface IOptions {
    link: ISessionLink;
    example: Suggestion;
    /** The slice of the example. */
    slice: number;
    /** The slices that are looked at, in this order; at least one. */
    slices: readonly number[];
  }
}
