/**
 * `npm run measure -- painting|large|large-suggestions|pictures|suggestions`: run `ui-tests/<name>.measure.ts` in a real JupyterLab and browser. `painting` prints times,
 * bytes and memory of painting; `large` prints times and memory of large images; `pictures` makes the pictures of `docs/images`;
 * `suggestions` prints times of suggestions. The browser is that of the UI tests.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBrowser, environment, main, root, SetupError, setup } from './setup.mjs';

await main(async ([name = '', ...args]) => {
  if (!/^[\w-]+$/.test(name) || !existsSync(join(root, `ui-tests/${name}.measure.ts`))) {
    throw new SetupError(
      `There is no measurement “${name}”: the names are painting, large, large-suggestions, pictures and suggestions.`
    );
  }
  await setup();
  const PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH = ensureBrowser();
  const command = [join(root, 'node_modules/@playwright/test/cli.js'), 'test', '-c', 'ui-tests', '--project=measure'];
  const { status } = spawnSync(process.execPath, [...command, `${name}.measure`, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: environment({ PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH, SAMBALAB_MEASURE: '1', SAMBALAB_UI_WORKERS: '1' })
  });
  process.exitCode = status ?? 1;
});
