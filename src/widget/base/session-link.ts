/** The link of one session to the sidecar, as the parts of a labeller use it: requests go out, events of the session come in. */
import { ISignal } from '@lumino/signaling';
import { IReply, IRequestOptions } from '../../kernel-bridge';
import { EventName, EventParams, Method, Params, SessionState } from '../../shared';

/** An event with its buffers. */
export interface ISessionEvent<E extends EventName> {
  params: EventParams<E>;
  buffers: Uint8Array[];
}

/** The link. */
export interface ISessionLink {
  /** The session's id, which requests name. */
  readonly session: string;
  /** Emits when the connection has attached to the session, for the first time or again: events may have been missed before. */
  readonly attached: ISignal<ISessionLink, SessionState>;
  /** Send a request. Rejects with BridgeError `disconnected` while there is no connection. */
  request<M extends Method>(method: M, params: Params<M>, options?: IRequestOptions): Promise<IReply<M>>;
  /** The signal of one kind of event; it emits those of this session. */
  on<E extends EventName>(event: E): ISignal<ISessionLink, ISessionEvent<E>>;
}
