/**
 * The requests of one peer: those that run, and the replies of finished ones. A request that arrives again under its id is not run
 * again; the sidecar repeats the reply. Old replies are dropped; patches are safe even then, since the journal knows their ids.
 */
import { Frames } from '../../../src/shared/frames';

const REPLIES_MAX = 512;
const REPLY_BYTES_MAX = 16 << 20;

export class RequestCache {
  /** The reply to a finished request. */
  reply(id: string): Frames[] | undefined {
    return this._replies.get(id)?.parts;
  }

  /** Whether a request runs. */
  runs(id: string): boolean {
    return this._running.has(id);
  }

  /** The number of running requests. */
  get running(): number {
    return this._running.size;
  }

  /** Note that a request begins. @returns the signal that cancels it. */
  begin(id: string): AbortSignal {
    const controller = new AbortController();
    this._running.set(id, controller);
    return controller.signal;
  }

  /** Note that a request has ended. `parts`: its reply, if a repeated request must get it again. */
  end(id: string, parts?: Frames[]): void {
    this._running.delete(id);
    if (!parts) {
      return;
    }
    const bytes = parts.reduce((sum, frames) => frames.reduce((n, frame) => n + frame.byteLength, sum), 0);
    this._replies.set(id, { parts, bytes });
    this._bytes += bytes;
    for (const [oldest, entry] of this._replies) {
      if (this._replies.size <= REPLIES_MAX && this._bytes <= REPLY_BYTES_MAX) {
        break;
      }
      this._replies.delete(oldest);
      this._bytes -= entry.bytes;
    }
  }

  /** Cancel a running request. @returns whether there was one. */
  cancel(id: string): boolean {
    const controller = this._running.get(id);
    controller?.abort();
    return controller !== undefined;
  }

  private readonly _running = new Map<string, AbortController>();
  private readonly _replies = new Map<string, { parts: Frames[]; bytes: number }>();
  private _bytes = 0;
}
