/** A session's link without a sidecar: the test answers requests and tells events. Not a test. */
import { ISignal, Signal } from '@lumino/signaling';
import { IRequestOptions } from '../../../kernel-bridge';
import { EventName, EventParams, SessionState } from '../../../shared';
import { ISessionEvent, ISessionLink } from '../session-link';

/** Answers a request; what it resolves to is the reply. */
export type Answer = (method: string, params: never, options?: IRequestOptions) => Promise<unknown>;

export class FakeLink implements ISessionLink {
  /** Without `answer` no request is ever answered. */
  constructor(private readonly _answer: Answer = () => new Promise(() => undefined)) {}

  readonly session = '0123456789abcdef0123456789abcdef';
  readonly attached = new Signal<this, SessionState>(this);

  request(method: string, params: object, options?: IRequestOptions): Promise<never> {
    return this._answer(method, params as never, options) as Promise<never>;
  }

  on<E extends EventName>(event: E): ISignal<this, ISessionEvent<E>> {
    return this._signal(event);
  }

  /** Emit an event as the sidecar would. */
  tell<E extends EventName>(event: E, params: EventParams<E>, buffers: Uint8Array[] = []): void {
    this._signal(event).emit({ params, buffers });
  }

  private _signal<E extends EventName>(event: E): Signal<this, ISessionEvent<E>> {
    let signal = this._signals.get(event);
    if (!signal) {
      signal = new Signal(this);
      this._signals.set(event, signal);
    }
    return signal as unknown as Signal<this, ISessionEvent<E>>;
  }

  private readonly _signals = new Map<EventName, Signal<this, never>>();
}
