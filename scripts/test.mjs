/**
 * `npm test`: set up what is missing, run lint, unit tests, Python tests and UI tests, and print one closing line over all.
 * `npm test -- jest pytest` runs only the suites named: lint, jest, pytest, ui, data.
 *
 * The suite `data` holds the Python and UI tests that need the micrographs of `../shared/data`; it runs only when it is named.
 * All other suites need nothing but this repository.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checks, lint } from './lint.mjs';
import { ensureBrowser, environment, main, python, root, say, setup, SetupError } from './setup.mjs';

const results = join(root, '.cache/test-results');

/** The micrographs that the suite `data` needs. */
const data = join(root, '../shared/data');

const suites = {
  lint() {
    const failed = lint();
    return { passed: Object.keys(checks).length - failed.length, failed: failed.length, skipped: 0 };
  },

  jest() {
    const report = join(results, 'jest.json');
    start(process.execPath, [
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

  pytest: () => pytest('not data'),

  ui: browser => playwright('shipped', browser),

  data(browser) {
    if (!existsSync(data)) {
      throw new SetupError(`The suite data needs the micrographs in ${data}, which does not exist.`);
    }
    return add(pytest('data'), playwright('data', browser));
  }
};

/** The suites that run when none is named. */
const usual = Object.keys(suites).filter(name => name !== 'data');

/** Run the Python tests that a marker expression selects. */
function pytest(marker) {
  const report = join(results, 'pytest.xml');
  rmSync(report, { force: true });
  // Two files of tests at a time, each with sidecars and folders of its own: one alone leaves half of two cores idle.
  start(python, ['-m', 'pytest', '-q', '-rs', '-n', '2', '--dist', 'loadfile', '-m', marker, `--junitxml=${report}`]);
  return readReport(report, xml => {
    const attribute = name => Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(xml)[1]);
    const failed = attribute('failures') + attribute('errors');
    const skipped = attribute('skipped');
    return { passed: attribute('tests') - failed - skipped, failed, skipped };
  });
}

/** Run the UI tests of a project of `ui-tests/playwright.config.ts`. */
function playwright(project, browser) {
  const report = join(results, 'ui.json');
  rmSync(report, { force: true });
  say(`UI tests in ${browser}`);
  start(
    process.execPath,
    [join(root, 'node_modules/@playwright/test/cli.js'), 'test', '-c', 'ui-tests', `--project=${project}`],
    { PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH: browser, PLAYWRIGHT_JSON_OUTPUT_NAME: report }
  );
  const { stats, errors } = readReport(report, JSON.parse);
  return { passed: stats.expected + stats.flaky, failed: stats.unexpected + errors.length, skipped: stats.skipped };
}

/** The sums of counts. */
function add(one, other) {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped
  };
}

/** Run a test runner to its end. Its exit code is not looked at: its report has the counts. */
function start(command, args, env = {}) {
  const { error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: environment(env) });
  if (error) {
    throw new SetupError(`${command} could not be started: ${error.message}`);
  }
}

/** Read a test runner's report. A runner that wrote none counts as one failed test. */
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
  // Before the suites: Debian's package chromium brings a software Vulkan, which Jest's GPU tests use.
  const browser = ensureBrowser();
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  let total = { passed: 0, failed: 0, skipped: 0 };
  for (const name of args.length ? args : usual) {
    const begun = Date.now();
    say(`${name} …`);
    let counts;
    try {
      counts = await suites[name](browser);
    } catch (error) {
      console.error(`sambalab: ${name}: ${error.message}`);
      counts = { passed: 0, failed: 1, skipped: 0 };
    }
    total = add(total, counts);
    const seconds = ((Date.now() - begun) / 1000).toFixed(0);
    say(`${name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${seconds} s`);
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
});
