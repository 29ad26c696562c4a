/** Why nothing is suggested where the pointer rests. It waits until the pointer does, and stands until a suggestion shows, so that it does not flicker. */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { IPixel, Suggestion } from './suggestion';
import { Suggestions, Unfit } from './suggestions';

/** The pointer rests when it has not moved for so long, in milliseconds. */
const REST_MS = 600;

/** Why there is no suggestion: see {@link Unfit}; or SAM is not sure of it, and the user hides such ones. */
export type Absence = Unfit | 'weak';

/** Follows the suggestions of one labeller. */
export class AbsentSuggestion implements IDisposable {
  constructor(private readonly _options: AbsentSuggestion.IOptions) {
    _options.suggestions.changed.connect(this._follow, this);
  }

  /** Emits when {@link why} changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Why nothing is suggested; null: something is, or the pointer has not rested yet. */
  get why(): Absence | null {
    return this._why;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearTimeout(this._timer);
      this._options.suggestions.changed.disconnect(this._follow, this);
      Signal.clearData(this);
    }
  }

  private _follow(): void {
    const { suggestions, restMs = REST_MS } = this._options;
    const { pointer } = suggestions;
    if (!pointer || !this._reason) {
      clearTimeout(this._timer);
      this._at = null;
      this._set(null);
    } else if (pointer !== this._at) {
      clearTimeout(this._timer);
      this._at = pointer;
      this._timer = setTimeout(() => this._rest(), restMs);
    }
  }

  /** The pointer has rested; the answer to it may still be on its way. */
  private _rest(): void {
    const { suggestions, restMs = REST_MS } = this._options;
    if (suggestions.busy) {
      this._timer = setTimeout(() => this._rest(), restMs);
    } else {
      this._set(this._reason);
    }
  }

  private get _reason(): Absence | null {
    const { suggestions, hides } = this._options;
    const { current, held, unfit } = suggestions;
    return held ? null : current && hides(current) ? 'weak' : unfit;
  }

  private _set(why: Absence | null): void {
    if (why !== this._why) {
      this._why = why;
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _why: Absence | null = null;
  private _at: IPixel | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

/** The namespace for {@link AbsentSuggestion}. */
export namespace AbsentSuggestion {
  export interface IOptions {
    suggestions: Suggestions;
    /** Whether a suggestion of which SAM is not sure is hidden. */
    hides(suggestion: Suggestion): boolean;
    /** The pointer rests when it has not moved for so long, in milliseconds; absent: 600. */
    restMs?: number;
  }
}
