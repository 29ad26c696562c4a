/**
 * UI tests in a real JupyterLab, which is started with folders of its own and so leaves the user's sessions alone.
 * The project `shipped` needs this repository only. The project `data` (`*.data.spec.ts`) needs the micrographs of `../shared/data`.
 * The browser is the one that PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH names, else Playwright's own.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { defineConfig } from '@playwright/test';

const root = resolve(__dirname, '..');
// Playwright loads this file in every worker: port and folder must be the same in all of them.
const port = Number((process.env['SAMBALAB_UI_PORT'] ??= String(20000 + (process.pid % 20000))));
const scratch = (process.env['SAMBALAB_UI_SCRATCH'] ??= mkdtempSync(join(tmpdir(), 'sambalab-ui-')));
const executablePath = process.env['PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH'];

export default defineConfig({
  testDir: '.',
  outputDir: 'test-results',
  workers: 1,
  retries: 0,
  timeout: 180_000,
  expect: { timeout: 20_000 },
  projects: [
    { name: 'shipped', testIgnore: '*.data.spec.ts' },
    { name: 'data', testMatch: '*.data.spec.ts' }
  ],
  reporter: [['list'], ...(process.env['PLAYWRIGHT_JSON_OUTPUT_NAME'] ? [['json'] as ['json']] : [])],
  globalSetup: require.resolve('./kernels'),
  use: {
    baseURL: `http://localhost:${port}`,
    viewport: { width: 1280, height: 900 },
    screenshot: 'only-on-failure',
    trace: 'off',
    video: 'off',
    launchOptions: {
      ...(executablePath ? { executablePath } : {}),
      args: [
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync'
      ]
    }
  },
  webServer: {
    command: `python -m jupyterlab --config=${join(__dirname, 'jupyter_server_test_config.py')}`,
    url: `http://localhost:${port}/lab`,
    timeout: 120_000,
    reuseExistingServer: false,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 5000 },
    env: {
      ...(process.env as Record<string, string>),
      SAMBALAB_ROOT: root,
      SAMBALAB_UI_PORT: String(port),
      SAMBALAB_RUNTIME_DIR: join(scratch, 'runtime'),
      SAMBALAB_DATA_DIR: join(scratch, 'data'),
      SAMBALAB_IDLE_TIMEOUT: '60',
      JUPYTERLAB_GALATA_ROOT_DIR: scratch,
      JUPYTER_CONFIG_DIR: join(scratch, 'config'),
      JUPYTER_DATA_DIR: join(scratch, 'jupyter'),
      SAMBALAB_TEST_DATA: resolve(root, '../shared/data')
    }
  }
});
