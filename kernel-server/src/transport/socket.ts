/** The ROUTER socket: what is sent goes out one list of frames at a time, and a peer that is gone holds nobody up. */
import { Router } from 'zeromq';
import { Frames, MESSAGE_BYTES_MAX } from '../../../src/shared/frames';
import { log } from '../base/log';
import { Peer } from './peers';

/** Make the socket, unbound. */
export function createSocket(): Router {
  return new Router({
    // Sending to a peer that is gone fails instead of vanishing, and no queue is ever full, so that no send waits.
    mandatory: true,
    sendHighWaterMark: 0,
    receiveHighWaterMark: 0,
    linger: 500,
    // Beyond this ZeroMQ hangs up; up to it we can still answer that it is too large.
    maxMessageSize: MESSAGE_BYTES_MAX
  });
}

export class SendQueue {
  constructor(
    private readonly _socket: Router,
    private readonly _unreachable: (peer: Peer) => void
  ) {}

  /** Send a message to a peer. Settles, and never fails, when it is out or its peer was found to be gone. */
  async send(peer: Peer, parts: Frames[]): Promise<void> {
    for (const frames of parts) {
      this._queue.push({ peer, frames });
    }
    await (this._running ??= this._run());
  }

  private async _run(): Promise<void> {
    await Promise.resolve(); // `_running` is set before this goes on
    for (let next = this._queue.shift(); next; next = this._queue.shift()) {
      if (this._socket.closed) {
        this._queue.length = 0;
        break;
      }
      const { peer, frames } = next;
      try {
        await this._socket.send([peer.identity, ...frames]);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EHOSTUNREACH') {
          log(`could not send to ${peer.name}`, error);
        }
        this._queue = this._queue.filter(item => item.peer !== peer);
        this._unreachable(peer);
      }
    }
    this._running = undefined;
  }

  private _queue: { peer: Peer; frames: Frames }[] = [];
  private _running: Promise<void> | undefined;
}
