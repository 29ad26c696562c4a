/** The command line of the sidecar. */
import { parseArgs } from 'node:util';

/** How the sidecar was asked to run. */
export interface ISidecarOptions {
  /** Where the connection file and the socket lie. */
  runtimeDir: string;
  /** Where sessions are kept. */
  dataDir: string;
  /** Where shared arrays lie; chosen by room if it is not given. */
  arraysDir?: string;
  /** Seconds without peers and jobs after which the sidecar leaves. */
  idleTimeout: number;
  /** Seconds after which a session that nobody attends gives its arrays back; an hour if it is not given. */
  releaseAfter?: number;
  /** Worker threads; the engine decides if it is not given. */
  threads?: number;
  /** `tcp` is loopback with CURVE, for systems without `ipc`. */
  transport: 'ipc' | 'tcp';
}

export const USAGE =
  'usage: node main.cjs --runtime-dir DIR --data-dir DIR [--arrays-dir DIR] [--idle-timeout SECONDS] [--threads N] ' +
  '[--transport ipc|tcp]';

/** Read the arguments. Throws an Error that names the wrong one. */
export function parseOptions(argv: string[]): ISidecarOptions {
  const { values } = parseArgs({
    args: argv,
    options: {
      'runtime-dir': { type: 'string' },
      'data-dir': { type: 'string' },
      'arrays-dir': { type: 'string' },
      'idle-timeout': { type: 'string', default: '1800' },
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
  const idleTimeout = Number(values['idle-timeout']);
  if (!(idleTimeout > 0)) {
    throw new Error(`--idle-timeout is ${values['idle-timeout']}; it must be a positive number of seconds.`);
  }
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
    ...(threads === undefined ? {} : { threads })
  };
}
