/**
 * Turns frames into replies: assembles messages, checks the peer and the request, runs each request once, and answers it, with an error
 * if it fails. No message of a peer may throw beyond this file.
 */
import { timingSafeEqual } from 'node:crypto';
import { BridgeError } from '../../../src/shared/errors';
import { encodeMessage, Frames, HEADER_BYTES_MAX, MESSAGE_BYTES_MAX } from '../../../src/shared/frames';
import {
  IRequest,
  isRepeatable,
  MadeBy,
  Method,
  Params,
  parseRequest,
  Result,
  SidecarMethod
} from '../../../src/shared/protocol';
import { log } from '../base/log';
import { Peer } from './peers';

/** What a handler knows of a request besides its params. */
export interface ICall {
  id: string;
  peer: Peer;
  buffers: Uint8Array[];
  /** Aborts when the peer cancels the request. */
  signal: AbortSignal;
}

/** What a history step says of a request: Python made it, or a hand in the browser, with this command. */
export function madeBy({ peer }: Pick<ICall, 'peer'>, tool: string): MadeBy {
  return { provenance: peer.role === 'python' ? 'python' : 'hand', tool };
}

/** The first buffer of a request as float32; empty if there is none. */
export function logitsOf({ buffers }: Pick<ICall, 'buffers'>): Float32Array {
  const bytes = buffers[0]?.slice() ?? new Uint8Array(); // aligned for float32
  return new Float32Array(bytes.buffer, 0, Math.floor(bytes.byteLength / 4));
}

/** A handler's answer. */
export interface IAnswer<M extends Method> {
  result: Result<M>;
  buffers?: Uint8Array[];
}

/** One handler for each method of the sidecar. */
export type Handlers = { [M in SidecarMethod]: (params: Params<M>, call: ICall) => Promise<IAnswer<M>> | IAnswer<M> };

/** Most bytes of a message from a peer that has not said hello. */
const STRANGER_BYTES_MAX = 64 << 10;
/** Most requests of one peer that run at the same time. */
const RUNNING_MAX = 1024;

export class Dispatcher {
  constructor(
    private readonly _handlers: Handlers,
    private readonly _secret: string,
    private readonly _send: (peer: Peer, parts: Frames[]) => void
  ) {}

  /** Accept the frames of a peer. */
  accept(peer: Peer, frames: Frames): void {
    let id = '';
    try {
      const bytes = frames.reduce((sum, frame) => sum + frame.byteLength, 0);
      const limit = peer.role ? MESSAGE_BYTES_MAX : STRANGER_BYTES_MAX;
      if (bytes > limit) {
        throw new BridgeError('too-large', `The message has ${bytes} bytes; at most ${limit} will do here.`);
      }
      const message = peer.assembler.accept(frames);
      if (!message) {
        if (!peer.role) {
          throw new BridgeError('unauthorized', 'The first message must be hello, in one piece.');
        }
        return;
      }
      id = typeof message.header['id'] === 'string' ? message.header['id'].slice(0, 100) : '';
      const request = parseRequest(message.header);
      this._authorize(peer, request);
      void this._carryOut(peer, request, message.buffers);
    } catch (error) {
      this._send(peer, failure(id || idOf(frames[0]), error));
    }
  }

  private _authorize(peer: Peer, request: IRequest): void {
    if (peer.role) {
      return; // the browser behind a relay says hello again, without the secret
    }
    if (request.method !== 'hello') {
      throw new BridgeError('unauthorized', 'The first message must be hello with the secret of the connection file.');
    }
    const { role, secret } = request.params as Params<'hello'>;
    const given = Buffer.from(secret ?? '');
    const expected = Buffer.from(this._secret);
    if (given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected)) {
      throw new BridgeError('unauthorized', 'The secret is not that of the connection file. Read the file again.');
    }
    peer.role = role;
  }

  private async _carryOut(peer: Peer, request: IRequest, buffers: Uint8Array[]): Promise<void> {
    const { id, method, params } = request;
    const { requests } = peer;
    const known = requests.reply(id);
    if (known) {
      this._send(peer, known);
      return;
    }
    if (requests.runs(id)) {
      return; // the running request will send its reply to this peer
    }
    if (requests.running >= RUNNING_MAX) {
      this._send(
        peer,
        failure(id, new BridgeError('invalid', `${RUNNING_MAX} requests are running; wait until some are done.`))
      );
      return;
    }
    const signal = requests.begin(id);
    let parts: Frames[];
    try {
      if (!Object.hasOwn(this._handlers, method)) {
        throw new BridgeError('unknown-method', `${method} is a request to a notebook's kernel, not to the sidecar.`);
      }
      const handler = this._handlers[method as SidecarMethod] as (
        params: unknown,
        call: ICall
      ) => Promise<IAnswer<Method>>;
      const answer = await handler(params, { id, peer, buffers, signal });
      parts = encodeMessage({ re: id, result: answer.result }, answer.buffers);
    } catch (thrown) {
      const error = BridgeError.from(thrown);
      if (error.code === 'internal') {
        log(`${method} failed`, thrown);
      }
      parts = failure(id, error);
    }
    requests.end(id, isRepeatable(method) ? undefined : parts);
    this._send(peer, parts);
  }
}

/** The reply to a request that failed. */
function failure(id: string, thrown: unknown): Frames[] {
  const { code, message } = BridgeError.from(thrown);
  return encodeMessage({ re: id, error: { code, message: message.slice(0, 4000) } });
}

/** The id in a header that is otherwise invalid, so that its sender gets the error. */
function idOf(frame: Uint8Array | undefined): string {
  if (!frame || frame.byteLength > HEADER_BYTES_MAX) {
    return '';
  }
  try {
    const header = JSON.parse(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString()) as {
      id?: unknown;
    } | null;
    return typeof header?.id === 'string' ? header.id.slice(0, 100) : '';
  } catch {
    return '';
  }
}
