/**
 * Sets up a fresh clone: npm packages, a Python environment, the builds, the links into JupyterLab, a browser.
 * Imports only Node's built-in modules, since it runs before anything is installed. Each step leaves a stamp with a hash of its
 * sources, and is skipped while the hash stays the same.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync
} from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const windows = process.platform === 'win32';
const venv = join(root, '.venv');
const venvBin = join(venv, windows ? 'Scripts' : 'bin');

/** The environment's Python. */
export const python = join(venvBin, windows ? 'python.exe' : 'python');

/** The environment variables of commands that run in the Python environment. */
export function environment(extra = {}) {
  return { ...process.env, PATH: venvBin + delimiter + process.env.PATH, VIRTUAL_ENV: venv, ...extra };
}

/** An error that is shown to the user as its message, without a stack. */
export class SetupError extends Error {}

/** Print a line of progress. */
export function say(text) {
  console.log(`sambalab: ${text}`);
}

/** Run a command to its end and show its output. Throws a SetupError that names the command if it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) {
    throw new SetupError(`${command} could not be started: ${result.error.message}`);
  }
  if (result.status !== 0) {
    throw new SetupError(`${[command, ...args].join(' ')} failed with exit code ${result.status ?? result.signal}.`);
  }
}

function hashFiles(paths) {
  const hash = createHash('sha256');
  const visit = path => {
    const status = statSync(path, { throwIfNoEntry: false });
    if (status?.isDirectory()) {
      for (const name of readdirSync(path).sort()) {
        if (!['node_modules', '__tests__', '__pycache__', 'build', 'tests'].includes(name)) {
          visit(join(path, name));
        }
      }
    } else if (status) {
      hash.update(relative(root, path)).update('\0').update(readFileSync(path)).update('\0');
    }
  };
  paths.map(path => join(root, path)).forEach(visit);
  return hash.digest('hex');
}

/** Make products from sources, unless they exist and were made from the same sources. */
async function once(name, sources, products, make) {
  const stamps = join(root, '.cache/stamps');
  const stamp = join(stamps, name);
  const hash = hashFiles(sources);
  const made = products.every(path => existsSync(join(root, path)));
  if (made && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) {
    return false;
  }
  const start = Date.now();
  await make();
  mkdirSync(stamps, { recursive: true });
  // Hash again: npm and pip may have changed the sources.
  writeFileSync(stamp, hashFiles(sources));
  say(`${name}: done in ${((Date.now() - start) / 1000).toFixed(1)} s`);
  return true;
}

function checkNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) {
    throw new SetupError(
      `Node ${process.versions.node} runs this; SambaLab needs Node 20 or newer (https://nodejs.org).`
    );
  }
}

function findPython() {
  const tried = [];
  for (const command of [process.env.PYTHON, 'python3', 'python'].filter(Boolean)) {
    const result = spawnSync(command, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], {
      encoding: 'utf8'
    });
    const version = result.stdout?.trim();
    if (result.status === 0 && version) {
      const [major, minor] = version.split('.').map(Number);
      if (major === 3 && minor >= 10) {
        return command;
      }
    }
    tried.push(`${command} (${version || 'not found'})`);
  }
  throw new SetupError(
    `No Python 3.10 or newer was found; tried ${tried.join(', ')}. Install one, or name it in the variable PYTHON.`
  );
}

/** Throw if a folder to install into is a link: npm and pip would change the folder that it leads to, which others use. */
function checkOwn(folder) {
  const path = join(root, folder);
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new SetupError(
      `${path} is a link to ${readlinkSync(path)}, whose packages an installation would replace. Remove the link; then a folder is made here.`
    );
  }
}

async function installPackages() {
  await once('npm packages', ['package-lock.json'], ['node_modules/.package-lock.json'], () => {
    checkOwn('node_modules');
    say('installing the npm packages …');
    // No package here needs its install script: native parts come prebuilt.
    const npm = process.env.npm_execpath;
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const options = { env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' } };
    if (npm && /\.c?js$/.test(npm)) {
      run(process.execPath, [npm, ...args], options);
    } else {
      run(windows ? 'npm.cmd' : 'npm', args, { ...options, shell: windows });
    }
  });
}

async function installPython() {
  await once(
    'Python environment',
    ['pyproject.toml', 'package.json', 'hatch_build.py', 'jupyter-config'],
    [relative(root, python)],
    () => {
      checkOwn('.venv');
      if (!existsSync(python)) {
        const base = findPython();
        say(`making a Python environment in .venv with ${base} …`);
        const made = spawnSync(base, ['-m', 'venv', venv], { encoding: 'utf8' });
        if (made.status !== 0) {
          throw new SetupError(
            `${base} -m venv failed. On Debian and Ubuntu, install the package python3-venv.\n${made.stdout}${made.stderr}`
          );
        }
      }
      // Hatchling requires the folders that it ships; the builds fill them later.
      mkdirSync(join(root, 'sambalab/labextension'), { recursive: true });
      mkdirSync(join(root, 'sambalab/server'), { recursive: true });
      say('installing JupyterLab and the Python package …');
      run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-e', '.[dev]']);
    }
  );
}

async function build() {
  const parts = {
    engine: {
      sources: ['engine/assembly', 'engine/asconfig.json'],
      products: ['engine/build/engine.wasm', 'engine/build/decoder.wasm', 'engine/build/decoder-relaxed.wasm']
    },
    server: {
      sources: [
        'kernel-server',
        'engine',
        'src/sam',
        'src/shared',
        'package.json',
        'scripts/build-decoder.mjs',
        'scripts/typescript.mjs'
      ],
      products: [
        'sambalab/server/main.cjs',
        'sambalab/server/engine.wasm',
        'sambalab/server/decoder.wasm',
        'sambalab/server/decoder-worker.cjs',
        'sambalab/server/decoder.onnx',
        'sambalab/server/limits.json'
      ]
    },
    browser: {
      sources: ['src', 'engine/assembly', 'style', 'schema', 'package.json', 'tsconfig.json'],
      products: ['sambalab/labextension/package.json']
    }
  };
  for (const [name, { sources, products }] of Object.entries(parts)) {
    await once(`build ${name}`, [...sources, 'package-lock.json', 'scripts/build.mjs'], products, () => {
      run(process.execPath, [join(root, 'scripts/build.mjs'), name]);
    });
  }
}

async function link() {
  const linked = relative(root, join(venv, 'share/jupyter/labextensions/sambalab'));
  await once('links', ['package.json', 'pyproject.toml'], [linked], () => {
    const env = environment();
    say('linking the extension into JupyterLab …');
    run(join(venvBin, 'jupyter-builder'), ['develop', '--overwrite', '--log-level=WARN', '.'], { env });
  });
}

function onPath(names) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of names) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // not in this folder
      }
    }
  }
  return undefined;
}

/** The browser that Playwright downloaded; undefined if it did not. */
function playwrightBrowser() {
  const require = createRequire(join(root, 'package.json'));
  const path = require('@playwright/test').chromium.executablePath();
  return existsSync(path) ? path : undefined;
}

/** Find a Chromium for the UI tests: PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH, the PATH, Playwright's own; else install one. */
export function ensureBrowser() {
  const find = () =>
    process.env.PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH ||
    onPath(['chromium', 'chromium-browser', 'google-chrome']) ||
    playwrightBrowser();
  const found = find();
  if (found) {
    return found;
  }
  if (process.getuid?.() === 0 && onPath(['apt-get'])) {
    say('installing the package chromium for the UI tests …');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    run('apt-get', ['update', '-qq'], { env });
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], {
      env,
      stdio: ['ignore', 'ignore', 'inherit']
    });
  } else {
    say("downloading Playwright's Chromium for the UI tests …");
    run(process.execPath, [join(root, 'node_modules/@playwright/test/cli.js'), 'install', 'chromium']);
  }
  const installed = find();
  if (!installed) {
    throw new SetupError(
      'No Chromium was found after the installation. Name one in the variable PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH.'
    );
  }
  return installed;
}

/** Set up everything that JupyterLab with SambaLab needs. */
export async function setup() {
  checkNode();
  await installPackages();
  await installPython();
  await build();
  await link();
}

/** Run a script's main function. A SetupError is printed in one line. */
export async function main(body) {
  try {
    await body(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof SetupError ? `sambalab: ${error.message}` : error);
    process.exitCode = 1;
  }
}
