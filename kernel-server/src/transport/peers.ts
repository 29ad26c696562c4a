/** The peers of the sidecar: one for each ZeroMQ identity, with its requests, sessions and staged arrays. */
import { encodeMessage, Frames, MessageAssembler } from '../../../src/shared/frames';
import { ArrayDescriptor, EventName, EventParams } from '../../../src/shared/protocol';
import { SliceRect } from '../../../src/shared/rect';
import { log } from '../base/log';
import { RequestCache } from './request-cache';

/** An event that all peers ignore. Sending it shows whether a peer still exists. */
const probe = (): Frames[] => encodeMessage({ event: 'probe', params: {} });

export class Peer {
  /** `silenceMs` without a message, in milliseconds, make the peer silent. */
  constructor(
    readonly identity: Buffer,
    private readonly _silenceMs: number
  ) {
    this.name = identity.toString('hex');
  }

  readonly name: string;
  readonly assembler = new MessageAssembler();
  readonly requests = new RequestCache();
  /** Sessions whose events the peer receives. */
  readonly attached = new Set<string>();
  /** The part of each session that is in the peer's view, as it reported last. */
  readonly views = new Map<string, SliceRect>();
  /** Staged arrays by id. */
  readonly staged = new Map<string, ArrayDescriptor>();
  /** From its hello; `undefined` before a valid one. */
  role: 'python' | 'relay' | 'browser' | undefined;
  lastHeard = performance.now();

  /** Whether the peer is not silent. */
  get live(): boolean {
    return performance.now() - this.lastHeard < this._silenceMs;
  }
}

export class Peers {
  constructor(private readonly _options: Peers.IOptions) {}

  /** The peer of an identity. A new identity gets a new peer. */
  of(identity: Buffer): Peer {
    const name = identity.toString('hex');
    let peer = this._peers.get(name);
    if (!peer) {
      peer = new Peer(Buffer.from(identity), this._options.silenceMs);
      this._peers.set(name, peer);
    }
    peer.lastHeard = performance.now();
    return peer;
  }

  /** Whether an authorised peer is not silent. */
  get anyLive(): boolean {
    return [...this._peers.values()].some(peer => peer.role !== undefined && peer.live);
  }

  /** Whether a peer is attached to a session; if `role` is given, a peer of that role. */
  attends(session: string, role?: Peer['role']): boolean {
    return [...this._peers.values()].some(peer => peer.attached.has(session) && (!role || peer.role === role));
  }

  /** The peers attached to a session that reported a view, with their views. */
  views(session: string): [Peer, SliceRect][] {
    return [...this._peers.values()].flatMap((peer): [Peer, SliceRect][] => {
      const view = peer.attached.has(session) ? peer.views.get(session) : undefined;
      return view ? [[peer, view]] : [];
    });
  }

  /** Send an event to all peers attached to a session, or to one of them. */
  emit<E extends EventName>(
    session: string,
    event: E,
    params: EventParams<E>,
    options: { buffers?: Uint8Array[]; except?: Peer; to?: Peer } = {}
  ): void {
    const { except, to } = options;
    const others = [...this._peers.values()].filter(
      peer => peer !== except && (!to || peer === to) && peer.attached.has(session)
    );
    if (others.length === 0) {
      return;
    }
    try {
      const parts = encodeMessage({ event, params }, options.buffers);
      others.forEach(peer => void this._options.send(peer, parts));
    } catch (error) {
      log(`the event ${event} could not be sent`, error); // the change that it reports has happened nevertheless
    }
  }

  /** Whether a peer that still exists is attached to a session. A restarted kernel's old peer does not exist any more. */
  async uses(session: string): Promise<boolean> {
    const attached = [...this._peers.values()].filter(peer => peer.attached.has(session));
    await Promise.all(attached.map(peer => this._options.send(peer, probe())));
    return this.attends(session);
  }

  /**
   * Send a probe to each silent peer. A ROUTER socket does not report a peer that vanished, but sending to it fails, and then the peer is
   * dropped. Peers that still exist ignore the probe.
   */
  probe(): void {
    for (const peer of this._peers.values()) {
      if (!peer.live) {
        void this._options.send(peer, probe());
      }
    }
  }

  /** Forget a peer. Its requests run to their end, because a browser that reconnects sends them again. */
  drop(peer: Peer): void {
    if (this._peers.get(peer.name) === peer) {
      this._peers.delete(peer.name);
    }
    this._options.gone(peer); // even the second time: a request that was still running may have staged an array
  }

  private readonly _peers = new Map<string, Peer>();
}

export namespace Peers {
  export interface IOptions {
    /** Hands frames to the socket. */
    send: (peer: Peer, parts: Frames[]) => Promise<void>;
    /** Called with each dropped peer. */
    gone: (peer: Peer) => void;
    /** Milliseconds without a message after which a peer is silent: it is probed, and no longer keeps the sidecar running. */
    silenceMs: number;
  }
}
