/**
 * UI tests in a real JupyterLab, one for each worker, which is started with folders of its own and so leaves the user's sessions alone.
 * The project `shipped` needs this repository only. The project `data` (`*.data.spec.ts`) needs the micrographs of `../shared/data`.
 * The project `measure` (`*.measure.ts`) prints figures and makes pictures; `npm run measure` runs it.
 */
import { defineConfig } from '@playwright/test';
import { browser } from './browser';
import { server, serverUrl, WORKERS } from './servers';

export default defineConfig({
  testDir: '.',
  outputDir: 'test-results',
  workers: WORKERS,
  retries: 0,
  timeout: 180_000,
  expect: { timeout: 20_000 },
  projects: [
    { name: 'shipped', testIgnore: '*.data.spec.ts' },
    { name: 'data', testMatch: '*.data.spec.ts' },
    { name: 'measure', testMatch: process.env['SAMBALAB_MEASURE'] ? '*.measure.ts' : [] }
  ],
  reporter: [['list'], ...(process.env['PLAYWRIGHT_JSON_OUTPUT_NAME'] ? [['json'] as ['json']] : [])],
  globalSetup: require.resolve('./kernels'),
  globalTeardown: require.resolve('./arrays-left'),
  use: {
    baseURL: serverUrl(),
    viewport: { width: 1280, height: 900 },
    screenshot: 'only-on-failure',
    trace: 'off',
    video: 'off',
    launchOptions: browser()
  },
  webServer: Array.from({ length: WORKERS }, (_, worker) => server(worker))
});
