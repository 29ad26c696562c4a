/**
 * Entry of the sidecar: reads its arguments, starts it, prints "ready", and ends with it.
 *
 * In this folder live the sockets (endpoint, socket, peers, dispatcher), the methods of the protocol (methods), sessions with
 * their labels, journal and shared arrays (sessions, session, labels, journal, array-store), long work (jobs, compute-jobs),
 * and the services that compute: SAM in a process of its own (sam-*, compute), the engine on worker threads (engine-*).
 * No mathematics of features, forests or masks (`engine`, `src/sam`), no definition of messages (`src/kernel-bridge`), and
 * nothing that knows of notebooks or pages.
 */
import { EngineService } from './engine/service';
import { log } from './base/log';
import { ISidecarOptions, parseOptions, USAGE } from './options';
import { SamService } from './sam/service';
import { Sidecar } from './sidecar';

async function main(): Promise<void> {
  process.umask(0o077);
  let options: ISidecarOptions;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  // One request that goes wrong in a way nobody thought of must not take everyone's labelling with it: what was
  // acknowledged is on the disk, and state changes only after that.
  process.on('uncaughtException', error => log('uncaught exception', error));
  process.on('unhandledRejection', error => log('unhandled rejection', error));
  // Python may close its end of stdout once it has read "ready".
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);

  const engine = new EngineService(options.threads === undefined ? {} : { threads: options.threads });
  const sam = new SamService({});
  let sidecar: Sidecar;
  try {
    sidecar = await Sidecar.start(options, { engine, sam });
  } catch (error) {
    process.stderr.write(`The sidecar could not start: ${(error as Error).message}\n`);
    process.exit(1);
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => void sidecar.stop(signal));
  }
  process.stdout.write('ready\n');
  await sidecar.stopped;
  process.exit(0);
}

void main();
