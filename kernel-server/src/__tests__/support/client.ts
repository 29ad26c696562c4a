/** A small peer for tests: a DEALER that asks and listens. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Dealer } from 'zeromq';
import { BridgeError } from '../../../../src/shared/errors';
import { encodeMessage, Frames, MessageAssembler } from '../../../../src/shared/frames';
import { Method, Params, parseIncoming, parseResult, Result } from '../../../../src/shared/protocol';

/** The connection file. */
export interface IConnection {
  protocol: number;
  endpoint: string;
  secret: string;
  pid: number;
  instance: string;
  version: string;
  curve?: { serverKey: string; publicKey: string; secretKey: string } | undefined;
}

/** What came that answers nothing that waits. */
export interface IHeard {
  event?: string;
  re?: string;
  params?: unknown;
  error?: BridgeError;
  buffers: Uint8Array[];
}

export function readConnection(runtimeDir: string): IConnection {
  return JSON.parse(readFileSync(join(runtimeDir, 'sidecar-1.json'), 'utf8')) as IConnection;
}

let clients = 0;

export class TestClient {
  constructor(readonly connection: IConnection) {
    const { curve } = connection;
    this._socket = new Dealer({
      linger: 0,
      sendHighWaterMark: 0,
      ...(curve
        ? { curveServerKey: curve.serverKey, curvePublicKey: curve.publicKey, curveSecretKey: curve.secretKey }
        : {})
    });
    this._socket.connect(connection.endpoint);
    void this._receive();
  }

  /** Connect and be let in. */
  static async connect(runtimeDir: string, role: 'python' | 'relay' = 'python'): Promise<TestClient> {
    const client = new TestClient(readConnection(runtimeDir));
    await client.request('hello', { role, secret: client.connection.secret, version: 'test' });
    return client;
  }

  /** Events, and replies that nobody waits for, in the order they came. */
  readonly heard: IHeard[] = [];

  async request<M extends Method>(
    method: M,
    params: Params<M>,
    options: { buffers?: Uint8Array[]; id?: string } = {}
  ): Promise<Result<M> & { buffers: Uint8Array[] }> {
    const id = options.id ?? this.nextId();
    const answered = new Promise<{ result: unknown; buffers: Uint8Array[] }>((resolve, reject) =>
      this._pending.set(id, { resolve, reject })
    );
    this.send(...encodeMessage({ id, method, params }, options.buffers));
    const { result, buffers } = await answered;
    return { ...(parseResult(method, result) as Result<M>), buffers };
  }

  /** Send frames as they are. */
  send(...parts: Frames[]): void {
    this._sending = this._sending.then(async () => {
      for (const frames of parts) {
        await this._socket.send(frames).catch(() => undefined);
      }
    });
  }

  /** The first thing heard, from now on or before, for which `is` holds. It is taken away. */
  async hear(is: (heard: IHeard) => boolean): Promise<IHeard> {
    for (;;) {
      const index = this.heard.findIndex(is);
      if (index >= 0) {
        return this.heard.splice(index, 1)[0]!;
      }
      await new Promise<void>(resolve => this._listeners.push(resolve));
    }
  }

  nextId(): string {
    return `${this._name}-${this._ids++}`;
  }

  close(): void {
    this._closed = true;
    this._socket.close();
  }

  private async _receive(): Promise<void> {
    while (!this._closed) {
      let frames: Buffer[];
      try {
        frames = await this._socket.receive();
      } catch {
        return;
      }
      const message = this._assembler.accept(frames);
      const incoming = message && parseIncoming(message.header);
      if (!message || !incoming) {
        continue;
      }
      if ('event' in incoming) {
        this.heard.push({ event: incoming.event, params: incoming.params, buffers: message.buffers });
      } else {
        const pending = this._pending.get(incoming.re);
        this._pending.delete(incoming.re);
        if (!pending) {
          this.heard.push({
            re: incoming.re,
            buffers: message.buffers,
            ...('error' in incoming ? { error: incoming.error } : { params: incoming.result })
          });
        } else if ('error' in incoming) {
          pending.reject(incoming.error);
        } else {
          pending.resolve({ result: incoming.result, buffers: message.buffers });
        }
      }
      this._listeners.splice(0).forEach(listener => listener());
    }
  }

  private readonly _socket: Dealer;
  private readonly _assembler = new MessageAssembler();
  private readonly _pending = new Map<
    string,
    { resolve(reply: { result: unknown; buffers: Uint8Array[] }): void; reject(error: BridgeError): void }
  >();
  private readonly _listeners: (() => void)[] = [];
  private readonly _name = `test${process.pid}-${clients++}`;
  private _ids = 0;
  private _closed = false;
  private _sending: Promise<void> = Promise.resolve();
}
