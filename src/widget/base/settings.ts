/** The settings of all labellers. The extension fills them from JupyterLab's settings. */
import { ISignal, Signal } from '@lumino/signaling';
import type { ImageInfo } from '../../shared';

/** When the wheel zooms without Ctrl: while the labeller has the keyboard focus, always, or never. Ctrl+wheel always zooms. */
export type WheelZoom = 'focus' | 'always' | 'ctrl';

/** Where a new label overlaps older ones: they stay, it replaces them, or it replaces only the label on which it began. */
export type Overlap = 'keep' | 'over' | 'same';

/** How to click what does not belong to a suggestion that is held: with Ctrl, or also with the right button. */
export type NegativeClick = 'ctrl' | 'right';

/** How suggestions are shown of which SAM is not sure: dashed, not at all, or as all others. */
export type WeakSuggestions = 'dashed' | 'hidden' | 'same';

/** The labels that the eraser takes: of all classes, or of the current one. */
export type Erases = 'all' | 'current';

/** How SAM's decoder runs in the page: on our own kernels where they take the model, or as its graph. */
export type DecoderChoice = 'kernels' | 'graph';

/** Where suggestions are decoded: where it is done sooner, in the page alone, or in the sidecar while that answers. */
export type DecoderRoute = 'auto' | 'page' | 'sidecar' | 'gpu';

/** Which overlays are shown: the labels, the segmentation (on which the labels lie), or both. */
export type Shown = 'both' | 'labels' | 'segmentation';

/** What V shows after this. */
export function nextShown(shown: Shown): Shown {
  return shown === 'both' ? 'labels' : shown === 'labels' ? 'segmentation' : 'both';
}

/** The settings' values. */
export interface ISettings {
  /** Name of the tool to begin with. The registry of tools decides which names exist. */
  tool: string;
  /** Diameter of brush and eraser in image pixels. */
  brushSize: number;
  /** Whether a stroke of the brush that comes back to its start is filled. */
  brushFills: boolean;
  /** Greatest difference of a flood fill from the pixel under the pointer, in percent of the image's usual range of values. */
  tolerance: number;
  /** 0 to 1. */
  labelOpacity: number;
  segmentationOpacity: number;
  uncertaintyOpacity: number;
  probabilityOpacity: number;
  /** Whether overlays are drawn as contours. Those of uncertainty and probability go around what is over one half. */
  labelOutline: boolean;
  segmentationOutline: boolean;
  uncertaintyOutline: boolean;
  probabilityOutline: boolean;
  /** Whether the part of the image that is in view is marked on a small map of the whole. */
  minimap: boolean;
  /** Whether there is a scale bar, where the size of a pixel is known. */
  scaleBar: boolean;
  /** Which of labels and segmentation are shown. */
  shown: Shown;
  /** What happens where a new label overlaps older ones. */
  overlap: Overlap;
  /** Which labels the eraser takes. */
  erases: Erases;
  /** How to click what does not belong to a suggestion. */
  negativeClick: NegativeClick;
  /** How suggestions are shown whose score or stability is below the next two values. */
  weakSuggestions: WeakSuggestions;
  /** 0 to 1. */
  suggestionScore: number;
  suggestionStability: number;
  wheelZoom: WheelZoom;
  /** How labellers that open from now on decode suggestions. */
  decoder: DecoderChoice;
  /** Where they do. A graph is run in the page alone. */
  decoderRoute: DecoderRoute;
  /** Whether a saved notebook keeps a picture of each labeller. */
  picture: boolean;
}

export const DEFAULT_SETTINGS: Readonly<ISettings> = {
  tool: 'suggest',
  brushSize: 15,
  brushFills: false,
  tolerance: 8,
  labelOpacity: 0.65,
  segmentationOpacity: 0.4,
  uncertaintyOpacity: 0.75,
  probabilityOpacity: 0.75,
  labelOutline: false,
  segmentationOutline: false,
  uncertaintyOutline: false,
  probabilityOutline: false,
  minimap: true,
  scaleBar: true,
  shown: 'both',
  overlap: 'keep',
  erases: 'all',
  negativeClick: 'ctrl',
  weakSuggestions: 'dashed',
  suggestionScore: 0.8,
  suggestionStability: 0.8,
  wheelZoom: 'focus',
  decoder: 'kernels',
  decoderRoute: 'auto',
  picture: true
};

/** Smallest and largest brush. */
export const BRUSH_MIN = 1;
export const BRUSH_MAX = 1000;

/** The brush size one step larger (1) or smaller (−1): a tenth of the size, at least one pixel; half the size if `large`. */
export function nextBrushSize(size: number, direction: 1 | -1, large: boolean): number {
  const step = Math.max(1, Math.round(size * (large ? 0.5 : 0.1)));
  return size + direction * step;
}

/** Greatest tolerance of a flood fill, in percent. */
export const TOLERANCE_MAX = 50;

/** A tolerance in percent as a difference of an image's values; a whole number if they are. */
export function toleranceOf({ image }: { image: Pick<ImageInfo, 'display' | 'dtype'> }, percent: number): number {
  const difference = ((image.display.high - image.display.low) * percent) / 100;
  return image.dtype.startsWith('float') ? difference : Math.round(difference);
}

/** Values from 0 to 1. */
const FRACTIONS = [
  'labelOpacity',
  'segmentationOpacity',
  'uncertaintyOpacity',
  'probabilityOpacity',
  'suggestionScore',
  'suggestionStability'
] as const;
const SWITCHES = [
  'labelOutline',
  'segmentationOutline',
  'uncertaintyOutline',
  'probabilityOutline',
  'minimap',
  'scaleBar',
  'brushFills',
  'picture'
] as const;

/** A labeller's settings, with a signal for changes. */
export class Settings {
  constructor(values: Partial<ISettings> = {}) {
    this._values = { ...DEFAULT_SETTINGS, ...checkSettings(values) };
  }

  get values(): Readonly<ISettings> {
    return this._values;
  }

  /** Emits the values that changed. */
  get changed(): ISignal<this, Partial<ISettings>> {
    return this._changed;
  }

  /** Set some values. Invalid ones are ignored. */
  set(values: Partial<ISettings>): void {
    const checked = checkSettings(values);
    const changed = Object.fromEntries(
      Object.entries(checked).filter(([name, value]) => this._values[name as keyof ISettings] !== value)
    ) as Partial<ISettings>;
    if (Object.keys(changed).length > 0) {
      this._values = { ...this._values, ...changed };
      this._changed.emit(changed);
    }
  }

  private _values: ISettings;
  private readonly _changed = new Signal<this, Partial<ISettings>>(this);
}

/** The user's settings. Every labeller starts with them and follows their changes. */
export const userSettings = new Settings();

/** The valid values, with numbers clamped to their range. */
export function checkSettings(values: Partial<Record<keyof ISettings, unknown>>): Partial<ISettings> {
  const out: Partial<ISettings> = {};
  const ranged = (value: unknown, low: number, high: number) =>
    typeof value === 'number' && Number.isFinite(value) ? Math.min(Math.max(value, low), high) : undefined;
  const brushSize = ranged(values.brushSize, BRUSH_MIN, BRUSH_MAX);
  if (brushSize !== undefined) {
    out.brushSize = Math.round(brushSize);
  }
  const tolerance = ranged(values.tolerance, 0, TOLERANCE_MAX);
  if (tolerance !== undefined) {
    out.tolerance = tolerance;
  }
  for (const name of FRACTIONS) {
    const fraction = ranged(values[name], 0, 1);
    if (fraction !== undefined) {
      out[name] = fraction;
    }
  }
  for (const name of SWITCHES) {
    const value = values[name];
    if (typeof value === 'boolean') {
      out[name] = value;
    }
  }
  if (values.shown === 'both' || values.shown === 'labels' || values.shown === 'segmentation') {
    out.shown = values.shown;
  }
  if (values.overlap === 'keep' || values.overlap === 'over' || values.overlap === 'same') {
    out.overlap = values.overlap;
  }
  if (values.erases === 'all' || values.erases === 'current') {
    out.erases = values.erases;
  }
  if (values.negativeClick === 'ctrl' || values.negativeClick === 'right') {
    out.negativeClick = values.negativeClick;
  }
  if (values.weakSuggestions === 'dashed' || values.weakSuggestions === 'hidden' || values.weakSuggestions === 'same') {
    out.weakSuggestions = values.weakSuggestions;
  }
  if (typeof values.tool === 'string') {
    out.tool = values.tool;
  }
  if (values.wheelZoom === 'focus' || values.wheelZoom === 'always' || values.wheelZoom === 'ctrl') {
    out.wheelZoom = values.wheelZoom;
  }
  if (values.decoder === 'kernels' || values.decoder === 'graph') {
    out.decoder = values.decoder;
  }
  const route = (['auto', 'page', 'sidecar', 'gpu'] as const).find(each => each === values.decoderRoute);
  if (route) {
    out.decoderRoute = route;
  }
  return out;
}
