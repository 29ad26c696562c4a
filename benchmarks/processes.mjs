/** Both sides of a benchmark: the engine's service, built from the sources, and the reference in Python; and their memory peaks. */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Bundle the engine's service and worker into one folder, and load the service. */
export async function loadEngine(folder) {
  const { build } = await import('esbuild');
  const wasm = join(root, 'engine/build/engine.wasm');
  if (!existsSync(wasm)) {
    throw new Error('engine/build/engine.wasm is missing; run: npm run build -- engine');
  }
  await build({
    absWorkingDir: root,
    entryPoints: {
      'engine-service': 'kernel-server/src/engine/service.ts',
      'engine-worker': 'kernel-server/src/engine/worker.ts'
    },
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'warning'
  });
  copyFileSync(wasm, join(folder, 'engine.wasm'));
  return createRequire(import.meta.url)(join(folder, 'engine-service.cjs')).EngineService;
}

/** SAM's service, with `reduceAll` as a method; its child process is the bundle that `npm run build` makes. */
export async function loadSam(folder) {
  const { build } = await import('esbuild');
  const server = join(root, 'sambalab/server');
  if (!existsSync(join(server, 'sam-child-process.cjs'))) {
    throw new Error('sambalab/server/sam-child-process.cjs is missing; run: npm run build -- server');
  }
  await build({
    absWorkingDir: root,
    stdin: {
      contents: "export * from './service'; export * from './all-maps';",
      resolveDir: join(root, 'kernel-server/src/sam')
    },
    outfile: join(folder, 'sam-service.cjs'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'warning'
  });
  const { SamService, reduceAll } = createRequire(import.meta.url)(join(folder, 'sam-service.cjs'));
  const sam = new SamService({ directory: server });
  return Object.assign(sam, { reduceAll: (...args) => reduceAll(sam, ...args) });
}

/** The Python of the project's environment. */
export function pythonPath() {
  const python = join(root, process.platform === 'win32' ? '.venv/Scripts/python.exe' : '.venv/bin/python');
  if (!existsSync(python)) {
    throw new Error('There is no .venv; run: npm start -- --no-browser, or npm test.');
  }
  return python;
}

/** The reference process: `ask({do: …})` sends a command and waits for its answer. */
export function startReference() {
  const child = spawn(pythonPath(), [join(root, 'benchmarks/reference.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', line => waiting.shift()?.resolve(JSON.parse(line)));
  child.on('exit', code =>
    waiting.splice(0).forEach(({ reject }) => reject(new Error(`the reference ended: ${code}`)))
  );
  return {
    pid: child.pid,
    ask: command =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${JSON.stringify(command)}\n`);
      }),
    stop: () => child.stdin.end()
  };
}

/** Reset the peak of a process's resident set. Works on Linux only. */
export function forgetPeak(pid) {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // On other systems the peak is of the whole run, or unknown.
  }
}

/** The peak of a process's resident set since the reset, in MB; null if the system does not report it. */
export function peakOf(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
  } catch {
    return null;
  }
}

export const median = values => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
export const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Student's t for a two-sided interval of 95 %, for 1, 2, 3 … degrees of freedom; 1.96 beyond. */
const STUDENT = [
  12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.1, 2.09
];

/**
 * The paired difference: its mean and the 95 % interval of that mean over the seeds. What one seed gives on several images is averaged first, since
 * only the seeds are drawn anew.
 *
 * @param ours for each seed the values on the images; `reference` likewise
 */
export function paired(ours, reference) {
  const differences = ours.map((values, seed) => mean(values) - mean(reference[seed]));
  const centre = mean(differences);
  const freedom = differences.length - 1;
  const variance = differences.reduce((sum, value) => sum + (value - centre) ** 2, 0) / Math.max(freedom, 1);
  const half = (STUDENT[freedom - 1] ?? (freedom > 0 ? 1.96 : NaN)) * Math.sqrt(variance / differences.length);
  const signed = value => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
  return {
    interval: [centre - half, centre + half],
    text: `paired ${signed(centre)} [${signed(centre - half)}, ${signed(centre + half)}], ${differences.length} seeds`
  };
}

/** Intersection over union, averaged over the classes of the truth. */
export function meanIoU(prediction, truth, classes) {
  return mean(
    classes.map(id => {
      let both = 0;
      let either = 0;
      truth.forEach((own, i) => {
        both += own === id && prediction[i] === id;
        either += own === id || prediction[i] === id;
      });
      return both / either;
    })
  );
}
