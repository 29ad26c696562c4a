/**
 * The features and the forest of the next training. A change made here is shown at once and sent a moment later. The session's
 * answer is authoritative, and choices made in Python arrive with the session too.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import {
  BridgeError,
  featureKey,
  featureSpec,
  FeatureSpec,
  ForestRequest,
  SessionState,
  TrainingChoice
} from '../../shared';
import { ISessionLink } from '../base/session-link';

/** Pause after the last change before it is sent, in milliseconds. */
const SEND_AFTER_MS = 400;

/** The choice of one session. */
export class Choice implements IDisposable {
  constructor(options: Choice.IOptions) {
    this._link = options.link;
    this._link.attached.connect(this.dismiss, this);
    this._sendAfterMs = options.sendAfterMs ?? SEND_AFTER_MS;
  }

  /** Emits when a value below changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits the session from the answer to a change. */
  get answered(): ISignal<this, SessionState> {
    return this._answered;
  }

  /** The features, with the changes made here. */
  get spec(): FeatureSpec {
    return this._own?.features ?? this._spec;
  }

  /** The forest, with the changes made here: a preset and the parameters that differ from it. */
  get forest(): ForestRequest {
    return this._own?.forest ?? this._theirs.forest;
  }

  /** Why the last change was refused, or why the session's choice cannot be shown; null without an error. */
  get error(): string | null {
    return this._refusal ?? this._unknown;
  }

  /** Whether a change is not answered yet. */
  get pending(): boolean {
    return this._own !== null;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Take the session's choice. A change made here that is not answered yet still applies on top of it. */
  take(choice: TrainingChoice): void {
    if (JSON.stringify(choice) === JSON.stringify(this._theirs)) {
      return;
    }
    this._theirs = choice;
    this._refusal = this._unknown = null;
    try {
      this._spec = featureSpec(choice.features);
    } catch (reason) {
      // A sidecar of another version may have feature families that this version lacks.
      this._unknown = BridgeError.from(reason).message;
    }
    this._changed.emit();
  }

  /** Clear the error of a refused change. */
  dismiss(): void {
    if (this._refusal !== null) {
      this._refusal = null;
      this._changed.emit();
    }
  }

  /** Change the features. */
  setFeatures(features: FeatureSpec): void {
    if (featureKey(features) !== featureKey(this.spec)) {
      this._change({ features });
    }
  }

  /** Change the forest. */
  setForest(forest: ForestRequest): void {
    if (JSON.stringify(forest) !== JSON.stringify(this.forest)) {
      this._change({ forest });
    }
  }

  /**
   * Send the changes that are not sent yet.
   *
   * @throws BridgeError if the sidecar refuses them.
   */
  flush(): Promise<void> {
    clearTimeout(this._timer);
    this._sending ??= this._send().finally(() => (this._sending = null));
    return this._sending;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    // The last change belongs to the session: send it.
    void this.flush().catch(() => undefined);
    this._disposed = true;
    Signal.clearData(this);
  }

  private _change(values: Partial<Choice.IOwn>): void {
    this._own = { ...this._own, ...values };
    this._unsent = true;
    this._refusal = null;
    clearTimeout(this._timer);
    // `error` keeps the reason of a refusal.
    this._timer = setTimeout(() => void this.flush().catch(() => undefined), this._sendAfterMs);
    this._changed.emit();
  }

  private async _send(): Promise<void> {
    while (this._unsent) {
      const own = this._own!;
      this._unsent = false;
      try {
        const { result } = await this._link.request('session.choice', { session: this._link.session, ...own });
        if (this._disposed) {
          return;
        }
        if (own === this._own) {
          this._own = null;
          this._answered.emit(result);
          this._changed.emit();
        }
      } catch (reason) {
        const error = BridgeError.from(reason);
        if (this._disposed) {
          return;
        }
        if (own === this._own) {
          this._own = null;
          this._refusal = error.message;
          this._changed.emit();
          throw error;
        }
      }
    }
  }

  private readonly _link: ISessionLink;
  private readonly _sendAfterMs: number;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _answered = new Signal<this, SessionState>(this);
  private _theirs: TrainingChoice = { features: {}, forest: {} };
  private _spec = featureSpec();
  /** Changes made here that are not answered yet. */
  private _own: Choice.IOwn | null = null;
  private _unsent = false;
  private _sending: Promise<void> | null = null;
  private _refusal: string | null = null;
  private _unknown: string | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

/** The namespace for {@link Choice}. */
export namespace Choice {
  /** A change of the choice. */
  export interface IOwn {
    features?: FeatureSpec;
    forest?: ForestRequest;
  }

  export interface IOptions {
    link: ISessionLink;
    /** Milliseconds after the last change until it is sent. */
    sendAfterMs?: number;
  }
}
