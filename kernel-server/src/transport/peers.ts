/** Who talks to the sidecar: one peer for each ZeroMQ identity, with what belongs to it. */
import { encodeMessage, Frames, MessageAssembler } from '../../../src/shared/frames';
import { ArrayDescriptor, EventName, EventParams } from '../../../src/shared/protocol';
import { SliceRect } from '../../../src/shared/rect';
import { log } from '../base/log';
import { RequestCache } from './request-cache';

/** A peer that sent nothing for so long does not keep the sidecar from leaving, in milliseconds. */
const SILENT_MS = 60000;

/** An event that nobody knows, to see whether a peer is there. */
const probe = (): Frames[] => encodeMessage({ event: 'probe', params: {} });

export class Peer {
  constructor(readonly identity: Buffer) {
    this.name = identity.toString('hex');
  }

  readonly name: string;
  readonly assembler = new MessageAssembler();
  readonly requests = new RequestCache();
  /** Sessions whose events it gets. */
  readonly attached = new Set<string>();
  /** What it sees of sessions, as it said last. */
  readonly views = new Map<string, SliceRect>();
  /** Staged arrays by id. */
  readonly staged = new Map<string, ArrayDescriptor>();
  /** What it said it is; `undefined` before a valid hello. */
  role: 'python' | 'relay' | 'browser' | undefined;
  lastHeard = performance.now();

  /** Whether it sent something lately. */
  get live(): boolean {
    return performance.now() - this.lastHeard < SILENT_MS;
  }
}

export class Peers {
  /** `send` hands frames to the socket; `gone` is told of a peer that is dropped. */
  constructor(
    private readonly _send: (peer: Peer, parts: Frames[]) => Promise<void>,
    private readonly _gone: (peer: Peer) => void
  ) {}

  /** The peer of an identity, made if it is new. */
  of(identity: Buffer): Peer {
    const name = identity.toString('hex');
    let peer = this._peers.get(name);
    if (!peer) {
      peer = new Peer(Buffer.from(identity));
      this._peers.set(name, peer);
    }
    peer.lastHeard = performance.now();
    return peer;
  }

  /** Whether anybody who is let in sent something lately. */
  get anyLive(): boolean {
    return [...this._peers.values()].some(peer => peer.role !== undefined && peer.live);
  }

  /** Whether anybody takes part in a session, or anybody of that role. */
  attends(session: string, role?: Peer['role']): boolean {
    return [...this._peers.values()].some(peer => peer.attached.has(session) && (!role || peer.role === role));
  }

  /** Who takes part in a session and said what it sees of it. */
  views(session: string): [Peer, SliceRect][] {
    return [...this._peers.values()].flatMap((peer): [Peer, SliceRect][] => {
      const view = peer.attached.has(session) ? peer.views.get(session) : undefined;
      return view ? [[peer, view]] : [];
    });
  }

  /** Tell everyone who takes part in a session, or one of them. */
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
      others.forEach(peer => void this._send(peer, parts));
    } catch (error) {
      log(`the event ${event} could not be told`, error); // what it tells of has happened all the same
    }
  }

  /** Whether anybody who is still there takes part in a session: a kernel that was restarted is not. */
  async uses(session: string): Promise<boolean> {
    const attached = [...this._peers.values()].filter(peer => peer.attached.has(session));
    await Promise.all(attached.map(peer => this._send(peer, probe())));
    return this.attends(session);
  }

  /**
   * Look after peers that are silent. ROUTER sockets tell nobody of a peer that vanished, but sending to it fails, and then
   * it is dropped; those still there ignore an event that they do not know.
   */
  probe(): void {
    for (const peer of this._peers.values()) {
      if (!peer.live) {
        void this._send(peer, probe());
      }
    }
  }

  /** Forget a peer. Its requests run to their end: a browser that comes back asks for them again. */
  drop(peer: Peer): void {
    if (this._peers.get(peer.name) === peer) {
      this._peers.delete(peer.name);
    }
    this._gone(peer); // again, if a request of its that ran on has left something meanwhile
  }

  private readonly _peers = new Map<string, Peer>();
}
