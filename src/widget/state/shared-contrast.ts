/**
 * The contrast of a session: SAM sees what this labeller shows, and this labeller shows what another one of the session chose.
 */
import { IDisposable } from '@lumino/disposable';
import { BridgeError, Contrast } from '../../shared';
import { ISessionLink } from '../base/session-link';

/** Milliseconds after the last change until the sidecar is told: SAM looks at the image anew then, for a second. */
const SETTLE_MS = 400;

/** Milliseconds after the connection was missing until the sidecar is told again. */
const RETRY_MS = 5000;

export class SharedContrast implements IDisposable {
  /**
   * @param known the contrast that the session has; null: the usual one
   * @param _show called with that of another labeller
   * @param _changed called when {@link problem} changes
   */
  constructor(
    private readonly _link: ISessionLink,
    known: Contrast | null,
    private readonly _show: (contrast: Contrast | null) => void,
    private readonly _changed: () => void
  ) {
    this._known = textOf(known);
    this._own = this._known;
  }

  /** Why SAM does not see what is shown; null if nothing is wrong. */
  get problem(): string | null {
    return this._problem;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** This labeller shows this contrast; null: the usual one. The sidecar is told once it rests. */
  set(contrast: Contrast | null): void {
    this._contrast = contrast;
    this._own = textOf(contrast);
    clearTimeout(this._timer);
    this._timer = undefined;
    if (this._own !== this._known && !this._sending) {
      this._later(SETTLE_MS);
    }
  }

  /** The session has this contrast. */
  take(contrast: Contrast | null): void {
    const text = textOf(contrast);
    if (text === this._known) {
      return;
    }
    this._known = text;
    if (this._timer === undefined && !this._sending && text !== this._own) {
      this._own = text;
      this._contrast = contrast;
      this._show(contrast);
    }
  }

  dispose(): void {
    this._disposed = true;
    clearTimeout(this._timer);
  }

  private _later(milliseconds: number): void {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      this._timer = undefined;
      void this._send();
    }, milliseconds);
  }

  private async _send(): Promise<void> {
    const own = this._own;
    if (this._disposed || this._sending || own === this._known) {
      return;
    }
    this._sending = true;
    let problem: string | null = null;
    let retry = 0;
    try {
      await this._link.request('sam.contrast', { session: this._link.session, contrast: this._contrast });
      this._known = own;
    } catch (reason) {
      const { code, message } = BridgeError.from(reason);
      if (code === 'disconnected') {
        retry = RETRY_MS;
      } else {
        problem = message;
      }
    }
    this._sending = false;
    if (this._disposed) {
      return;
    }
    if (problem !== this._problem) {
      this._problem = problem;
      this._changed();
    }
    if (this._own !== own || retry > 0) {
      this._later(Math.max(retry, SETTLE_MS));
    }
  }

  /** As JSON, to be compared. */
  private _known: string;
  private _own: string;
  private _contrast: Contrast | null = null;
  private _sending = false;
  private _problem: string | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

function textOf(contrast: Contrast | null): string {
  const { low, high, gamma, inverse, channels } = contrast ?? {};
  return contrast ? JSON.stringify({ low, high, gamma, inverse, channels }) : '';
}
