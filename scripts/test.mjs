/**
 * `npm test`: set up what is missing, then lint and type checks, unit tests, Python tests and UI tests, and one closing line over all.
 * `npm test -- jest pytest` runs the suites named: lint, jest, pytest, ui.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checks, lint } from './lint.mjs';
import { ensureBrowser, environment, main, python, root, say, setup, SetupError } from './setup.mjs';

const results = join(root, '.cache/test-results');

const suites = {
  lint() {
    const failed = lint();
    return { passed: Object.keys(checks).length - failed.length, failed: failed.length, skipped: 0 };
  },

  jest() {
    const report = join(results, 'jest.json');
    suite(process.execPath, [
      join(root, 'node_modules/jest/bin/jest.js'),
      '--ci',
      '--json',
      `--outputFile=${report}`,
      '--reporters=default',
      '--maxWorkers=2'
    ]);
    const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = readReport(
      report,
      JSON.parse
    );
    return { passed: numPassedTests, failed: numFailedTests + numRuntimeErrorTestSuites, skipped: numPendingTests };
  },

  pytest() {
    const report = join(results, 'pytest.xml');
    suite(python, ['-m', 'pytest', '-q', '-rs', `--junitxml=${report}`]);
    return readReport(report, xml => {
      const attribute = name => Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(xml)[1]);
      const failed = attribute('failures') + attribute('errors');
      const skipped = attribute('skipped');
      return { passed: attribute('tests') - failed - skipped, failed, skipped };
    });
  },

  ui(browser) {
    const report = join(results, 'ui.json');
    say(`UI tests in ${browser}`);
    suite(process.execPath, [join(root, 'node_modules/@playwright/test/cli.js'), 'test', '-c', 'ui-tests'], {
      PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH: browser,
      PLAYWRIGHT_JSON_OUTPUT_NAME: report
    });
    const { stats, errors } = readReport(report, JSON.parse);
    return { passed: stats.expected + stats.flaky, failed: stats.unexpected + errors.length, skipped: stats.skipped };
  }
};

function suite(command, args, env = {}) {
  const { error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: environment(env) });
  if (error) {
    throw new SetupError(`${command} could not be started: ${error.message}`);
  }
}

/** What a suite wrote about itself; a suite that wrote nothing has failed as a whole. */
function readReport(path, parse) {
  if (!existsSync(path)) {
    throw new SetupError(`no report was written to ${path}`);
  }
  return parse(readFileSync(path, 'utf8'));
}

await main(async args => {
  const unknown = args.filter(name => !Object.hasOwn(suites, name));
  if (unknown.length) {
    throw new SetupError(`There is no suite ${unknown.join(', ')}; suites are ${Object.keys(suites).join(', ')}.`);
  }
  await setup();
  // First, since Debian's package holds the software Vulkan that tests the GPU's path as well.
  const browser = ensureBrowser();
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const name of args.length ? args : Object.keys(suites)) {
    const start = Date.now();
    say(`${name} …`);
    let counts;
    try {
      counts = await suites[name](browser);
    } catch (error) {
      console.error(`sambalab: ${name}: ${error.message}`);
      counts = { passed: 0, failed: 1, skipped: 0 };
    }
    for (const key of Object.keys(total)) {
      total[key] += counts[key];
    }
    const seconds = ((Date.now() - start) / 1000).toFixed(0);
    say(`${name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${seconds} s`);
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
});
