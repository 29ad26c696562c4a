/**
 * The handle that a labeller's root element (`.sambalab-Labeller`) carries as its property `sambalab`, for tests and for scripts
 * that drive the widget. Pixels are (row, column) of the image; the centre of pixel (r, c) is what `imageToClient` gives.
 */
import { IPixel } from './suggestions';

export interface ILabellerHandle {
  /** True once the image, the labels and the segmentation in view have been drawn. */
  readonly ready: boolean;
  /** True once the decoder has the embedding of the slice shown. */
  readonly samReady: boolean;
  readonly size: { rows: number; columns: number };
  /** The middle of a pixel in client coordinates (CSS pixels of the page's viewport). */
  imageToClient(row: number, column: number): { x: number; y: number };
  clientToImage(x: number, y: number): { row: number; column: number };
  labelAt(row: number, column: number): number;
  /** 0 while there is no segmentation there, or its tile has not come yet. */
  segmentationAt(row: number, column: number): number;
  /** The suggestion that is shown; `mask()` is uint8 0/1 of rows × columns. */
  readonly suggestion: { at: IPixel; scale: number; scores: number[]; mask(): Uint8Array } | null;
  /** Strokes that the sidecar has not acknowledged. */
  readonly pendingPatches: number;
  /** 0 before the first training. */
  readonly segmentationVersion: number;
  /** Errors that the status line has shown since the widget was made. */
  readonly errors: string[];
  /** Milliseconds of `n` requests of 1 kB to the sidecar and back, one after the other. */
  measureRoundTrip(n: number): Promise<number[]>;
}
