/**
 * The sidecar's entry point: reads the arguments, starts the sidecar, prints "ready", and exits when the sidecar stops.
 *
 * A request passes through the folders like this: `transport` reads the message, checks it and calls the handler in `methods`. The handler
 * changes a session (`session`) or asks a part that computes: `learning` and `next-region`, which use `kernel-server/src/engine` (worker threads)
 * and `sam` (a child process). Long work runs as a job (`jobs`); pixels lie in shared files (`arrays`); `base` has files and the log.
 *
 * Each folder imports only folders below it in `scripts/walls.mjs`, and its README lists its files. The mathematics is in `/engine` and
 * `src/sam`, the messages are in `src/shared`. The sidecar knows nothing of notebooks or pages.
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
  // An unexpected error in one request must not end the sidecar for all sessions. Acknowledged changes are on the disk, and
  // the state changes only after that.
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
