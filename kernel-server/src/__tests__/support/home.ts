/** A sidecar in this process, with the small SAM, and clients of it. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IEngineService, ISamService } from '../../jobs/services';
import { DecoderThreads } from '../../sam/decoder-thread';
import { Sidecar } from '../../sidecar';
import { TestClient } from './client';
import { rectangle } from './images';
import { SmallSam } from './small-sam';

export class Home<E extends IEngineService> {
  /**
   * @param _realSam used instead of the small SAM
   * @param _decoderThreads of the sidecar; there are none beside the test by default
   */
  constructor(
    readonly engine: E,
    private readonly _realSam?: ISamService,
    private readonly _decoderThreads?: DecoderThreads
  ) {}

  readonly base = mkdtempSync(join(tmpdir(), 'sl-'));

  /** The latest start's. */
  sam!: SmallSam;

  async start(releaseAfter?: number): Promise<this> {
    const path = join(this.base, 'decoder.onnx');
    writeFileSync(path, 'graph');
    const sam = (this.sam = new SmallSam({
      path,
      digest: createHash('sha256').update('graph').digest('hex'),
      bytes: 5
    }));
    this._sidecar = await Sidecar.start(
      {
        runtimeDir: join(this.base, 'run'),
        dataDir: join(this.base, 'data'),
        arraysDir: join(this.base, 'arrays'),
        idleTimeout: 600,
        transport: 'ipc',
        ...(releaseAfter !== undefined && { releaseAfter })
      },
      {
        engine: this.engine,
        sam: this._realSam ?? sam,
        ...(this._decoderThreads && { decoderThreads: this._decoderThreads })
      }
    );
    return this;
  }

  async stop(): Promise<void> {
    // While clients live, so that the next sidecar takes their sessions' arrays over.
    await this._sidecar?.stop('the test says so');
    this._clients.splice(0).forEach(client => client.close());
  }

  /** End the sidecar as a user does. */
  async shutDown(client: TestClient): Promise<void> {
    await client.request('shutdown', {});
    await this._sidecar?.stopped;
  }

  async connect(role: 'python' | 'relay' = 'python'): Promise<TestClient> {
    const client = await TestClient.connect(join(this.base, 'run'), role);
    this._clients.push(client);
    return client;
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.base, { recursive: true, force: true });
  }

  private readonly _clients: TestClient[] = [];
  private _sidecar: Sidecar | undefined;
}

/** Draw the two classes of `halves` where the image is dark and bright. */
export async function label(client: TestClient, session: string, ids = [1, 2]): Promise<void> {
  for (const [id, tile, columns] of [
    [1, [0, 0], [0, 20]],
    [2, [0, 1], [100, 120]]
  ] as [number, [number, number], [number, number]][]) {
    if (ids.includes(id)) {
      const { patch, buffers } = rectangle(session, id, { tile, rows: [0, 20], columns });
      await client.request('labels.patch', patch, { buffers });
    }
  }
}
