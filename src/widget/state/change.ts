/** The changes of a labeller that views follow. */
import { Rect } from '../../shared';

/**
 * What changed:
 * - `session`: the session as the sidecar has it
 * - `status`: something that the status line says
 * - `choice`: tool, class, slice or settings
 * - `drawing`: image, labels or an overlay
 * - `stroke`: only what the last {@link IRepaint} with an area tells of, by a stroke that is being drawn
 * - `top`: only the suggestion or the mark that lie over these
 * - `display`: the contrast, the comparison of two segmentations, or what is known of the image's grey values
 * - `features`: features, forest, or the overlay that is shown
 */
export type Change = 'session' | 'status' | 'choice' | 'drawing' | 'stroke' | 'top' | 'display' | 'features';

/** Overlays whose pictures a view keeps. */
export type RepaintedOverlay = 'labels' | 'segmentation' | 'uncertainty' | 'probability';

/** Tiles of an overlay whose pictures are outdated; null for all. */
export interface IRepaint {
  overlay: RepaintedOverlay;
  keys: string[] | null;
  /** Only pixels in this rectangle of the slice changed. */
  area?: Rect;
}
