/** The command line of the sidecar. */
import { parseArgs } from 'node:util';

/** The options of the command line. */
export interface ISidecarOptions {
  /** Folder of the connection file and the socket. */
  runtimeDir: string;
  /** Folder of the sessions. */
  dataDir: string;
  /** Folder of the shared arrays. If undefined, the store chooses one with room. */
  arraysDir?: string;
  /** A folder in memory, in which the sidecar makes one for arrays; `/dev/shm` on Linux if undefined. */
  memoryDir?: string;
  /** Seconds without peers and jobs after which the sidecar stops. */
  idleTimeout: number;
  /** Seconds without a message after which a peer is probed and no longer keeps the sidecar running; a minute if undefined. */
  peerSilence?: number;
  /** Seconds between two signs of life in the data folder's lock; ten if undefined. All sidecars of a folder need the same. */
  lockBeat?: number;
  /** Seconds after which a session without attached peers frees its arrays; an hour if undefined. */
  releaseAfter?: number;
  /** The same if its last labeller was closed; a minute if undefined. */
  releaseClosedAfter?: number;
  /** Worker threads; the engine decides if undefined. */
  threads?: number;
  /** `tcp` is loopback with CURVE, for systems without `ipc`. */
  transport: 'ipc' | 'tcp';
}

/** Seconds without peers and jobs after which the sidecar stops. */
const IDLE_SECONDS = 1800;

export const USAGE =
  'usage: node main.cjs --runtime-dir DIR --data-dir DIR [--arrays-dir DIR] [--memory-dir DIR] [--idle-timeout SECONDS] ' +
  '[--peer-silence SECONDS] [--lock-beat SECONDS] [--threads N] [--transport ipc|tcp]';

/** Read the arguments. Throws an Error that names the wrong one. */
export function parseOptions(argv: string[]): ISidecarOptions {
  const { values } = parseArgs({
    args: argv,
    options: {
      'runtime-dir': { type: 'string' },
      'data-dir': { type: 'string' },
      'arrays-dir': { type: 'string' },
      'memory-dir': { type: 'string' },
      'idle-timeout': { type: 'string' },
      'peer-silence': { type: 'string' },
      'lock-beat': { type: 'string' },
      threads: { type: 'string' },
      transport: { type: 'string', default: process.platform === 'win32' ? 'tcp' : 'ipc' }
    }
  });
  const directory = (name: 'runtime-dir' | 'data-dir'): string => {
    const value = values[name];
    if (!value) {
      throw new Error(`--${name} is missing.`);
    }
    return value;
  };
  const seconds = (name: 'idle-timeout' | 'peer-silence' | 'lock-beat'): number | undefined => {
    const value = values[name];
    if (value !== undefined && !(Number(value) > 0)) {
      throw new Error(`--${name} is ${value}; it must be a positive number of seconds.`);
    }
    return value === undefined ? undefined : Number(value);
  };
  const idleTimeout = seconds('idle-timeout') ?? IDLE_SECONDS;
  const peerSilence = seconds('peer-silence');
  const lockBeat = seconds('lock-beat');
  const threads = values.threads === undefined ? undefined : Number(values.threads);
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= 256)) {
    throw new Error(`--threads is ${values.threads}; it must be a whole number from 1 to 256.`);
  }
  if (values.transport !== 'ipc' && values.transport !== 'tcp') {
    throw new Error(`--transport is ${values.transport}; it must be ipc or tcp.`);
  }
  return {
    runtimeDir: directory('runtime-dir'),
    dataDir: directory('data-dir'),
    idleTimeout,
    transport: values.transport,
    ...(values['arrays-dir'] ? { arraysDir: values['arrays-dir'] } : {}),
    ...(values['memory-dir'] ? { memoryDir: values['memory-dir'] } : {}),
    ...(peerSilence === undefined ? {} : { peerSilence }),
    ...(lockBeat === undefined ? {} : { lockBeat }),
    ...(threads === undefined ? {} : { threads })
  };
}
