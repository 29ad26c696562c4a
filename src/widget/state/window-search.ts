/**
 * A search for objects like an example in the windows of slices, which the sidecar does window by window. It can be left, and goes on with the window that
 * it was left at.
 */
import { deflateSync } from 'fflate';
import { areaOf, BridgeError, DecoderManifest, Rect } from '../../shared';
import { ISize } from '../base/geometry';
import { IObjectShape, packLogits, PLAIN_SHAPE, unpackPart } from '../../sam';
import { ISessionLink } from '../base/session-link';
import { inflate } from '../labels/patches';
import { MaskedObject } from './object-group';
import { Proposal } from './proposal';
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
   * @param shape that of the objects; the sidecar knows the edges of all of the image
   * @returns the objects in it, which may overlap with those of other windows; null if SAM does not see the example in windows of its size
   * @throws BridgeError as the sidecar fails; the window is looked at again then
   */
  async next(
    signal: AbortSignal,
    shape: Readonly<IObjectShape>
  ): Promise<{ slice: number; objects: Proposal[] } | null> {
    const { link, example, slice: own, slices, manifest, image, greys } = this._options;
    const { connected, filled, smooth, grow, edges = false } = shape;
    const slice = slices[Math.floor(this._at / this._windows)]!;
    const { row, column } = example.at;
    const { result, buffers } = await link.request(
      'sam.similar-window',
      {
        session: link.session,
        slice,
        window: this._at % this._windows,
        example: { slice: own, point: { row, column }, within: example.seen },
        shape: { connected, filled, smooth, grow, edges }
      },
      { signal, buffers: [(this._packed ??= deflateSync(packLogits([example.logits])))] }
    );
    if (result.windows === 0) {
      return null;
    }
    const count = result.objects.length;
    if (buffers.length !== 2 * count) {
      throw new BridgeError('malformed', `${count} objects came with ${buffers.length} buffers, not two each.`);
    }
    const objects = result.objects.map(({ point, rect, seen, samples }, i) => {
      const shown = new MaskedObject(point, rect, inflate(buffers[i]!, areaOf(rect)));
      const codes = inflate(buffers[count + i]!, areaOf(samples));
      const draw = (wanted: Readonly<IObjectShape>) => {
        const lowRes = [unpackPart({ samples, codes }, manifest.decoder.maskSize)];
        const candidates = { lowRes, scores: [1], single: null };
        const inSlice = greys && ((part: Rect) => greys(part, slice));
        const drawn = new Suggestion(point, candidates, 0, image, manifest, seen, wanted, [point], inSlice);
        // The pixels alone take less memory than the logits.
        return new MaskedObject(point, drawn.bounds, drawn.region(drawn.bounds));
      };
      return new Proposal(draw(PLAIN_SHAPE), shape, draw, shown);
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
    image: ISize;
    manifest: DecoderManifest;
    /** The image's greys in a rectangle of a slice; null if they are not known. */
    greys?: ((rect: Rect, slice: number) => Float32Array | null) | undefined;
    example: Suggestion;
    /** The slice of the example. */
    slice: number;
    /** The slices that are looked at, in this order; at least one. */
    slices: readonly number[];
  }
}
