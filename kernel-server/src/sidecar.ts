/** Puts the sidecar's parts together, listens for messages, and stops in order. */
import { randomBytes } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Router } from 'zeromq';
import { ArrayOwners } from './arrays/array-owners';
import { ArrayStore, IPlace } from './arrays/array-store';
import { Dispatcher } from './transport/dispatcher';
import { bind, IEndpoint, writeConnectionFile } from './transport/endpoint';
import { DirectoryLock } from './base/directory-lock';
import { explainStorage, makeDirectory } from './base/files';
import { ownFolder, privateDataDirectory, privateDirectory, privatePlace } from './base/private-directory';
import { IEngineService, ISamService } from './jobs/services';
import { Jobs } from './jobs/jobs';
import { log } from './base/log';
import { createHandlers } from './methods';
import { ISidecarOptions } from './options';
import { Peer, Peers } from './transport/peers';
import { DecoderThreads } from './sam/decoder-thread';
import { PromptModels } from './sam/prompt-models';
import { TileCache } from './arrays/pyramid';
import { Session } from './session/session';
import { SessionList } from './session/session-list';
import { Sessions } from './session/sessions';
import { createSocket, SendQueue } from './transport/socket';
import { SessionEvents } from './transport/session-events';
import { Staging } from './transport/staging';
import { VERSION } from './base/version';

/** Seconds after which a session without attached peers frees its arrays. Its kernel may be restarting. */
const RELEASE_SECONDS = 3600;
/** The same if its last labeller was closed. */
const CLOSED_SECONDS = 60;
/** Seconds without a message after which a peer is silent. Silent peers are probed each third of it. */
const SILENT_SECONDS = 60;
/** Time that running jobs have to stop, in milliseconds. */
const STOP_MS = 3000;
/** The type that statfs reports for a file system in memory. */
const TMPFS_MAGIC = 0x01021994;

/** Which arrays are freed at the end: all; all but those of sessions with living peers, which the next sidecar takes over; or none. */
type Freed = 'all' | 'unused' | 'none';

/** The services that compute. */
export interface IServices {
  engine: IEngineService;
  sam: ISamService;
  /** The models that suggest; by default found as the environment says, with `sam` for those that chose none. */
  models?: PromptModels;
  /** The threads of SAM's decoder; by default those of the bundles beside this one. */
  decoderThreads?: DecoderThreads;
}

export class Sidecar {
  /** Start listening. */
  static async start(options: ISidecarOptions, services: IServices): Promise<Sidecar> {
    const runtimeDir = await privateDirectory(options.runtimeDir, 'SAMBALAB_RUNTIME_DIR');
    const dataDir = await privateDataDirectory(options.dataDir, 'SAMBALAB_DATA_DIR');
    let lost: (why: string) => void = () => undefined;
    const sessions = join(dataDir, 'sessions');
    const lock = await makeDirectory(sessions)
      .then(() => DirectoryLock.take(dataDir, why => lost(why), options.lockBeat && options.lockBeat * 1000))
      .catch(async error => {
        throw await explainStorage(error, sessions);
      });
    let sidecar: Sidecar;
    try {
      const places = await arrayPlaces(options, runtimeDir);
      sidecar = new Sidecar(options, services, { dataDir, places, lock });
    } catch (error) {
      await lock.release();
      throw error;
    }
    lost = why => void sidecar.stop(why, 'none'); // another one may be using them already
    try {
      await sidecar._listen(runtimeDir);
    } catch (error) {
      await sidecar.stop('it could not listen');
      throw error;
    }
    return sidecar;
  }

  private constructor(
    private readonly _options: ISidecarOptions,
    private readonly _services: IServices,
    private readonly _home: { dataDir: string; places: IPlace[]; lock: DirectoryLock }
  ) {
    const { dataDir, places } = _home;
    const store = new ArrayStore(places);
    const owners = (this._owners = new ArrayOwners({
      directories: places.map(place => place.directory),
      dataDir,
      graceMs: this._closedMs,
      whileClosed: (id, work) => this._sessions.whileClosed(id, work)
    }));
    const arraysOf = (id: string) => owners.folderOf(id);
    const tiles = new TileCache();
    this._staging = new Staging(store, owners.stagedFolder, tiles);
    this._peers = new Peers({
      send: (peer, parts) => this._queue.send(peer, parts),
      gone: peer =>
        void this._gone(peer).catch(error => log(`the staged arrays of ${peer.name} could not be removed`, error)),
      silenceMs: this._silenceMs
    });
    this._jobs = new Jobs(state => this._peers.emit(state.session, 'job', state));
    const events = new SessionEvents(this._peers);
    const changed = (session: Session) => events.changed(session);
    this._sessions = new Sessions(dataDir, { store, arraysOf, tiles, changed });
    store.reclaim = async () => (await owners.sweep(true)) || this._sessions.release(id => this._unused(id));
    this._models = _services.models ?? new PromptModels({ builtIn: _services.sam });
    this._decoderThreads = _services.decoderThreads ?? new DecoderThreads();
    const handlers = createHandlers({
      instance: this.instance,
      dataDir,
      ..._services,
      models: this._models,
      decoderThreads: this._decoderThreads,
      store,
      sessions: this._sessions,
      sessionList: new SessionList(join(dataDir, 'sessions'), this._sessions),
      peers: this._peers,
      events,
      jobs: this._jobs,
      staging: this._staging,
      leave: () => void this.stop('it was asked to', 'all')
    });
    this._dispatcher = new Dispatcher(handlers, this._secret, (peer, parts) => this._queue.send(peer, parts));
    this._queue = new SendQueue(this._socket, peer => this._peers.drop(peer));
    this.stopped = new Promise(resolve => (this._finish = resolve));
  }

  /** Names this run of the sidecar. */
  readonly instance = randomBytes(8).toString('hex');

  /** Settles when the sidecar has stopped. */
  readonly stopped: Promise<void>;

  /** Stop in order. Programs that map arrays which are freed keep what they see. */
  async stop(why: string, freed: Freed = 'unused'): Promise<void> {
    if (this._stopping) {
      return this.stopped;
    }
    this._stopping = true;
    log(`stopping: ${why}`);
    this._timers.forEach(clearInterval);
    await this._removeConnectionFile();
    const late = new Promise<void>(resolve => setTimeout(resolve, STOP_MS).unref());
    const opened = new Set(this._sessions.ids);
    const attending = this._attended(opened);
    await Promise.race([this._jobs.stop(), late]);
    const attended = (await Promise.race([attending, late])) ?? opened;
    await this._sessions.close();
    if (!this._socket.closed) {
      this._socket.close();
    }
    await this._endpoint?.remove();
    await Promise.race([
      Promise.allSettled(
        [this._services.engine, this._services.sam, this._models, this._decoderThreads].map(each => each.dispose())
      ),
      late
    ]);
    if (freed !== 'none') {
      await this._owners.end(opened, freed === 'all' ? undefined : attended);
    }
    await this._home.lock.release();
    this._finish();
  }

  private async _listen(runtimeDir: string): Promise<void> {
    const { places } = this._home;
    await this._owners.begin();
    this._endpoint = await bind(this._socket, runtimeDir, this._options.transport);
    this._removeConnectionFile = await writeConnectionFile(runtimeDir, {
      endpoint: this._endpoint,
      secret: this._secret,
      instance: this.instance,
      version: VERSION
    });
    const probe = setInterval(() => this._peers.probe(), this._silenceMs / 3);
    let active = performance.now();
    const idleMs = this._options.idleTimeout * 1000;
    const idle = setInterval(
      () => {
        if (this._peers.anyLive || this._jobs.size > 0) {
          active = performance.now();
        } else if (performance.now() - active > idleMs) {
          void this.stop(`no peer was active for ${this._options.idleTimeout} s`, 'all');
        }
      },
      Math.min(5000, idleMs / 4)
    );
    const release = setInterval(
      () => void this._release(this._releaseMs, this._closedMs),
      Math.min(60000, this._closedMs / 4)
    );
    const sweep = setInterval(() => void this._sweep(), Math.min(60000, this._closedMs));
    this._timers.push(probe, idle, release, sweep);
    void this._receive();
    void this._sweep();
    log(
      `SambaLab ${VERSION} listens at ${this._endpoint.address}; arrays in ${places.map(p => p.directory).join(', ')}`
    );
  }

  private async _receive(): Promise<void> {
    while (!this._socket.closed) {
      try {
        const [identity, ...frames] = await this._socket.receive();
        if (identity && !this._stopping) {
          this._dispatcher.accept(this._peers.of(identity), frames);
        }
      } catch (error) {
        if (!this._socket.closed) {
          log('a message could not be received', error);
          await new Promise(resolve => setTimeout(resolve, 10));
        }
      }
    }
  }

  private get _silenceMs(): number {
    return (this._options.peerSilence ?? SILENT_SECONDS) * 1000;
  }

  private get _releaseMs(): number {
    return (this._options.releaseAfter ?? RELEASE_SECONDS) * 1000;
  }

  private get _closedMs(): number {
    return Math.min(this._releaseMs, (this._options.releaseClosedAfter ?? CLOSED_SECONDS) * 1000);
  }

  private async _sweep(): Promise<void> {
    await this._owners.sweep().catch(error => log('unused arrays could not be removed', error));
  }

  /** Those of some sessions that a living peer uses. */
  private async _attended(ids: ReadonlySet<string>): Promise<Set<string>> {
    const used = await Promise.all([...ids].map(async id => ((await this._peers.uses(id)) ? [id] : [])));
    return new Set(used.flat());
  }

  private _unused(id: string): boolean {
    return !this._peers.attends(id) && !this._jobs.runs(id);
  }

  /**
   * Free the arrays of sessions that were idle for `afterMs`, or `closedMs` if closed. Their labels stay in the journals. Work ahead of need ends
   * after `closedMs`: the maps of a large image would keep a processor busy for many minutes after its notebook was closed.
   */
  private async _release(afterMs: number, closedMs: number): Promise<void> {
    for (const id of this._sessions.ids) {
      if (!this._unused(id)) {
        this._sessions.touch(id);
      } else if (this._sessions.idle(id) > closedMs) {
        this._jobs.cancelAhead(id);
      }
    }
    await this._sessions.release(
      id => this._unused(id) && this._sessions.idle(id) > (this._sessions.left(id) ? closedMs : afterMs)
    );
  }

  private async _gone(peer: Peer): Promise<void> {
    for (const id of peer.attached) {
      if (!this._peers.attends(id, 'relay') && !this._peers.attends(id, 'browser')) {
        this._jobs.cancelAhead(id, 'page');
      }
    }
    await this._staging.releaseAll(peer);
    for (const id of peer.role === 'python' ? peer.attached : []) {
      if (!this._peers.attends(id, 'python')) {
        await this._sessions.forgetFeatures(id);
      }
    }
  }

  private readonly _secret = randomBytes(32).toString('hex');
  private readonly _socket: Router = createSocket();
  private readonly _owners: ArrayOwners;
  private readonly _queue: SendQueue;
  private readonly _peers: Peers;
  private readonly _jobs: Jobs;
  private readonly _sessions: Sessions;
  private readonly _staging: Staging;
  private readonly _models: PromptModels;
  private readonly _decoderThreads: DecoderThreads;
  private readonly _dispatcher: Dispatcher;
  private readonly _timers: ReturnType<typeof setInterval>[] = [];
  private _endpoint: IEndpoint | undefined;
  private _removeConnectionFile: () => Promise<void> = async () => undefined;
  private _stopping = false;
  private _finish!: () => void;
}

/** The places for arrays: the directory of the options, else memory first and the runtime directory second. */
async function arrayPlaces(options: ISidecarOptions, runtimeDir: string): Promise<IPlace[]> {
  if (options.arraysDir !== undefined) {
    return [await place(await privatePlace(options.arraysDir, 'SAMBALAB_ARRAYS_DIR'))];
  }
  const memory = options.memoryDir ?? (process.platform === 'linux' ? '/dev/shm' : undefined);
  const places: IPlace[] = [];
  if (memory !== undefined) {
    try {
      places.push(await place(await ownFolder(memory)));
    } catch (error) {
      log('arrays cannot be kept in memory', error);
    }
  }
  return [...places, await place(await privateDirectory(join(runtimeDir, 'arrays'), 'SAMBALAB_ARRAYS_DIR'))];
}

async function place(directory: string): Promise<IPlace> {
  return { directory, memory: (await statfs(directory)).type === TMPFS_MAGIC };
}
