/** One JupyterLab for each worker of the UI tests, with folders of its own, so that a test may kill its sidecar while another one labels. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** How many tests run side by side. */
export const WORKERS = Number(process.env['SAMBALAB_UI_WORKERS'] ?? 2);

// Playwright loads its configuration in every worker anew: ports and folders must be the same in all of them.
const firstPort = Number((process.env['SAMBALAB_UI_PORT'] ??= String(20000 + WORKERS * (process.pid % 10000))));
const scratch = (process.env['SAMBALAB_UI_SCRATCH'] ??= mkdtempSync(join(tmpdir(), 'sambalab-ui-')));

/** The worker that runs this code; 0 outside workers. */
const thisWorker = Number(process.env['TEST_PARALLEL_INDEX'] ?? 0);

/** The folder of a worker's server: notebooks lie in it, its sidecar's files in `runtime` and `data`. */
export function serverFolder(worker = thisWorker): string {
  return join(scratch, String(worker));
}

/** Where a worker's server is reached. */
export function serverUrl(worker = thisWorker): string {
  return `http://localhost:${firstPort + worker}`;
}

/** How Playwright starts a worker's server. */
export function server(worker: number) {
  const folder = serverFolder(worker);
  mkdirSync(folder, { recursive: true }); // the server stops if its folder is not there
  return {
    command: `python -m jupyterlab --config=${join(__dirname, 'jupyter_server_test_config.py')}`,
    url: `${serverUrl(worker)}/lab`,
    timeout: 120_000,
    reuseExistingServer: false,
    gracefulShutdown: { signal: 'SIGTERM' as const, timeout: 5000 },
    env: {
      ...(process.env as Record<string, string>),
      SAMBALAB_UI_PORT: String(firstPort + worker),
      SAMBALAB_RUNTIME_DIR: join(folder, 'runtime'),
      SAMBALAB_DATA_DIR: join(folder, 'data'),
      SAMBALAB_IDLE_TIMEOUT: '60',
      JUPYTERLAB_GALATA_ROOT_DIR: folder,
      JUPYTER_CONFIG_DIR: join(folder, 'config'),
      JUPYTER_DATA_DIR: join(folder, 'jupyter'),
      SAMBALAB_TEST_DATA: resolve(__dirname, '../../shared/data')
    }
  };
}
