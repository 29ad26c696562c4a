/** A handle for tests and for scripts in the browser's console: the property `sambalab` of a view's root element. */
import { CanvasView } from '../canvas/canvas';
import { currentTool } from '../canvas/tools';
import { LabellerState } from '../state/labeller-state';
import { IDecoderRoutes } from '../state/suggestion-decoder';
import { IStrokeTimes } from '../state/stroke-times';

/** The handle. It reads state and changes nothing. */
export interface IDebugHandle {
  /** The centre of a pixel in the window, in CSS pixels. */
  imageToClient(row: number, column: number): { x: number; y: number };
  /** The pixel at a point of the window. */
  clientToImage(x: number, y: number): { row: number; column: number };
  /** A point of the window in image coordinates. */
  placeAt(x: number, y: number): { x: number; y: number };
  /** The labeller's small state, as JSON. */
  readonly state: object;
  /** The class id of a pixel in the labels of the shown slice. */
  labelAt(row: number, column: number): number;
  /** The same in the segmentation; 0 for tiles that have not been loaded. */
  segmentationAt(row: number, column: number): number;
  /** The uncertainty of a pixel, 255 for 1; −1 if it is not loaded or not shown. */
  uncertaintyAt(row: number, column: number): number;
  /** The probability of the shown class at a pixel, 255 for 1; −1 if it is not loaded or not shown. */
  probabilityAt(row: number, column: number): number;
  /** The grey level of a pixel in the previewed feature; −1 if it is not loaded. */
  featureAt(row: number, column: number): number;
  /** The shown suggestion, once it is SAM's answer to its point: its mask (rows × columns, 0 and 1), scale, scores, and the pixel that it was made for. */
  readonly suggestion: {
    readonly mask: Uint8Array;
    rows: number;
    columns: number;
    scale: number;
    scores: number[];
    at: { row: number; column: number };
  } | null;
  /** Milliseconds from the pointer to SAM's answer, of the last ones. */
  readonly suggestionTimes: readonly number[];
  /** The mask of the shown suggestion while it is one that was decoded ahead, rows × columns; else null. */
  readonly firstMask: Uint8Array | null;
  /** Milliseconds from the pointer to a first suggestion that was decoded ahead, of the last ones. */
  readonly firstSuggestionTimes: readonly number[];
  /** How suggestions are decoded: the route that serves, and the medians of both in milliseconds; null before there is a decoder. */
  readonly decoderRoutes: IDecoderRoutes | null;
  /** Number of strokes that are not acknowledged yet. */
  readonly pendingPatches: number;
  /** Times of the last strokes, from the pointer to the repainted screen. */
  readonly times: readonly IStrokeTimes[];
  /** Number and bytes of the cached segmentation tiles; milliseconds of the longest drawing. */
  readonly load: { tiles: number; bytes: number; longestDraw: number };
  /** Milliseconds between a stroke and its acknowledgement. */
  readonly roundTrip: { count: number; median: number; p95: number };
}

/** Put the handle on the root element of a view. */
export function attachDebugHandle(root: HTMLElement, state: LabellerState, canvas: CanvasView): void {
  const handle: IDebugHandle = {
    imageToClient: (row, column) => canvas.toWindow(canvas.view.toScreen({ x: column + 0.5, y: row + 0.5 })),
    clientToImage: (x, y) => {
      const image = canvas.view.toImage(canvas.toScreen({ x, y }));
      return { row: Math.floor(image.y), column: Math.floor(image.x) };
    },
    placeAt: (x, y) => canvas.view.toImage(canvas.toScreen({ x, y })),
    get state() {
      const { session, parts, connection, training, live, choice, files, settings } = state;
      return {
        session: session?.session ?? state.id,
        // Of the slices in view: in another direction these are not those of the array.
        shape:
          session && parts
            ? [parts.slices, parts.image.rows, parts.image.columns, session.image.shape[3]]
            : (session?.image.shape ?? null),
        connection: connection.state.state,
        embedding: parts?.embedding.state ?? null,
        training: training.state,
        live: { on: live.on, ...live.state },
        segmentationAhead: parts?.segmentation.ahead ?? false,
        features: choice.spec,
        forest: choice.forest,
        choicePending: choice.pending,
        preview: parts?.preview.state ?? null,
        uncertainty: parts?.uncertainty.state ?? null,
        probability: parts?.probability.state ?? null,
        guide: parts?.guide.state ?? null,
        files: files.state,
        tool: currentTool(state).name,
        classId: state.currentClass?.id ?? null,
        classes: session?.classes ?? [],
        slice: state.slice,
        direction: state.direction,
        settings: settings.values,
        labelsVersion: parts?.labels.version ?? 0,
        learnedVersion: session?.segmentation?.classifier.labelsVersion ?? -1,
        segmentationVersion: parts?.segmentation.version ?? 0,
        segmentationSettled: parts?.segmentation.settled ?? true,
        tilesPending: parts?.tiles.pending ?? 0,
        suggesting: parts?.suggestions.busy ?? false,
        scale: canvas.view.scale,
        error: state.error
      };
    },
    labelAt: (row, column) => state.parts?.labels.slice(state.slice).at(row, column) ?? 0,
    segmentationAt: (row, column) => state.parts?.segmentation.at(state.slice, row, column) ?? 0,
    uncertaintyAt: (row, column) => state.parts?.uncertainty.at(state.slice, row, column) ?? -1,
    probabilityAt: (row, column) => state.parts?.probability.at(state.slice, row, column) ?? -1,
    featureAt: (row, column) => state.parts?.preview.at(state.slice, row, column) ?? -1,
    get suggestion() {
      const { current, isExact } = state.parts?.suggestions ?? {};
      if (!current || !isExact) {
        return null;
      }
      const { rows, columns } = current.image;
      const { scale, scores, at } = current;
      return {
        get mask() {
          return current.mask(); // large for a large image
        },
        rows,
        columns,
        scale,
        scores,
        at
      };
    },
    get pendingPatches() {
      return state.parts?.labels.queue.waiting.length ?? 0;
    },
    get suggestionTimes() {
      return state.parts?.suggestions.times ?? [];
    },
    get firstMask() {
      const { current, isExact } = state.parts?.suggestions ?? {};
      return current && !isExact ? current.mask() : null;
    },
    get firstSuggestionTimes() {
      return state.parts?.suggestions.firstTimes ?? [];
    },
    get decoderRoutes() {
      return state.parts?.embedding.routes ?? null;
    },
    get times() {
      return state.times.all;
    },
    get load() {
      const { tiles = 0, bytes = 0 } = state.parts?.segmentation.size ?? {};
      return { tiles, bytes, longestDraw: canvas.longestDraw };
    },
    get roundTrip() {
      const sorted = [...state.times.roundTrips].sort((a, b) => a - b);
      const at = (fraction: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0;
      return { count: sorted.length, median: at(0.5), p95: at(0.95) };
    }
  };
  Object.defineProperty(root, 'sambalab', { value: handle, configurable: true });
}
