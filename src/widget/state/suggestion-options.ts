/** What the user chose for SAM's suggestions: scale and shape. This browser remembers it for the next labeller. */
import { ISignal, Signal } from '@lumino/signaling';
import { MASK_GROW_MAX } from '../../shared';
import { IObjectShape, PLAIN_SHAPE } from '../../sam';
import { recall, remember } from '../base/remembered';

/** SAM's scales, from small to large, in the order of its masks. */
export const SCALES = ['small', 'medium', 'large'] as const;

/** The scale of suggestions for a single point: one of SAM's, or the one that fits best. */
export type ScaleChoice = 'auto' | (typeof SCALES)[number];

export interface ISuggestionOptions extends Required<IObjectShape> {
  scale: ScaleChoice;
}

export const DEFAULT_SUGGESTION_OPTIONS: Readonly<ISuggestionOptions> = { scale: 'auto', ...PLAIN_SHAPE, edges: true };

/** Name of the options in the browser's memory. */
const REMEMBERED = 'suggestions';

/** The options of one labeller, with a signal for changes. */
export class SuggestionOptions {
  constructor() {
    this._values = { ...DEFAULT_SUGGESTION_OPTIONS, ...checked(recall(REMEMBERED)) };
  }

  get values(): Readonly<ISuggestionOptions> {
    return this._values;
  }

  /** Emits when {@link values} change. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The chosen shape alone: the same object until it changes. */
  get shape(): Readonly<Required<IObjectShape>> {
    const { connected, filled, smooth, grow, edges } = this._values;
    const shape = { connected, filled, smooth, grow, edges };
    if (JSON.stringify(shape) !== JSON.stringify(this._shape)) {
      this._shape = shape;
    }
    return this._shape;
  }

  /** Index of the chosen scale among SAM's; undefined for `auto`. */
  get scale(): number | undefined {
    const index = SCALES.indexOf(this._values.scale as (typeof SCALES)[number]);
    return index < 0 ? undefined : index;
  }

  /** Set some values, for this labeller and the next ones. */
  set(values: Partial<ISuggestionOptions>): void {
    const next = { ...this._values, ...checked(values) };
    if (JSON.stringify(next) !== JSON.stringify(this._values)) {
      this._values = next;
      remember(REMEMBERED, next);
      this._changed.emit();
    }
  }

  private _values: ISuggestionOptions;
  private _shape: Required<IObjectShape> = { ...PLAIN_SHAPE, edges: false };
  private readonly _changed = new Signal<this, void>(this);
}

/** The valid values: what the browser remembers may be of another version. */
function checked(values: unknown): Partial<ISuggestionOptions> {
  const given = (values ?? {}) as Partial<Record<keyof ISuggestionOptions, unknown>>;
  const out: Partial<ISuggestionOptions> = {};
  const scale = (['auto', ...SCALES] as const).find(each => each === given.scale);
  if (scale) {
    out.scale = scale;
  }
  for (const name of ['connected', 'filled', 'smooth', 'edges'] as const) {
    const value = given[name];
    if (typeof value === 'boolean') {
      out[name] = value;
    }
  }
  const { grow } = given;
  if (typeof grow === 'number' && Number.isInteger(grow) && Math.abs(grow) <= MASK_GROW_MAX) {
    out.grow = grow;
  }
  return out;
}
