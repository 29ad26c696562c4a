/** The ROUTER socket and its queue. Messages go out one after the other, and a peer that is gone does not delay the others. */
import { Router } from 'zeromq';
import { Frames, MESSAGE_BYTES_MAX } from '../../../src/shared/frames';
import { log } from '../base/log';
import { Peer } from './peers';

/** Make the socket, unbound. */
export function createSocket(): Router {
  return new Router({
    // Sending to a peer that is gone fails with an error. Queues have no limit, so no send waits. A timeout of 0 makes the send try at
    // once: else it waits while no peer at all is connected, and the last peer would never be found gone.
    mandatory: true,
    sendTimeout: 0,
    sendHighWaterMark: 0,
    receiveHighWaterMark: 0,
    linger: 500,
    // ZeroMQ disconnects a peer whose message is larger. The dispatcher answers smaller ones that are too large for it.
    maxMessageSize: MESSAGE_BYTES_MAX
  });
}

export class SendQueue {
  constructor(
    private readonly _socket: Router,
    private readonly _unreachable: (peer: Peer) => void
  ) {}

  /** Send a message to a peer. Never fails; settles when the message is sent, or its peer is gone. */
  async send(peer: Peer, parts: Frames[]): Promise<void> {
    for (const frames of parts) {
      this._queue.push({ peer, frames });
    }
    await (this._running ??= this._run());
  }

  private async _run(): Promise<void> {
    await Promise.resolve(); // so that `_running` is set first
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
