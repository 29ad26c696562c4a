/** Starts the real, bundled sidecar for tests, with the small engine and, where asked for, the real one. */
import { build } from 'esbuild';
import { ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TestClient } from './client';

const ROOT = resolve(__dirname, '../../../..');
let bundle: Promise<string> | undefined;

/** Bundle main.ts, once a test run; inside the project, where its native modules are found. */
export function bundleSidecar(): Promise<string> {
  bundle ??= (async () => {
    const outfile = join(ROOT, `.cache/kernel-server-tests/${process.pid}/main.cjs`);
    await build({
      absWorkingDir: ROOT,
      entryPoints: ['kernel-server/src/main.ts'],
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      logLevel: 'error',
      external: ['zeromq', 'onnxruntime-node', 'webgpu'],
      plugins: [
        {
          name: 'small-engine',
          setup: ({ onResolve }) =>
            onResolve({ filter: /^\.\/engine-service$/ }, () => ({ path: join(__dirname, 'small-engine.ts') }))
        }
      ]
    });
    return outfile;
  })();
  return bundle;
}

/** Remove the bundle. */
export function removeBundle(): void {
  rmSync(join(ROOT, `.cache/kernel-server-tests/${process.pid}`), { recursive: true, force: true });
}

/** A sidecar in directories of its own. */
export class TestSidecar {
  readonly base = mkdtempSync(join(tmpdir(), 'sl-'));
  runtimeDir = join(this.base, 'run');
  dataDir = join(this.base, 'data');
  arraysDir = join(this.base, 'arrays');
  log = '';
  process: ChildProcess | undefined;

  /** Start it and wait until it is ready; rejects with its log when it ends instead. */
  async start(...args: string[]): Promise<this> {
    const main = await bundleSidecar();
    const directories = ['--runtime-dir', this.runtimeDir, '--data-dir', this.dataDir, '--arrays-dir', this.arraysDir];
    const child = spawn(process.execPath, [main, ...directories, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process = child;
    child.stderr.on('data', (data: Buffer) => (this.log += data.toString()));
    await new Promise<void>((ready, failed) => {
      child.stdout.once('data', () => ready());
      child.once('exit', code => failed(new Error(`exit ${code}: ${this.log}`)));
    });
    return this;
  }

  connect(role: 'python' | 'relay' = 'python'): Promise<TestClient> {
    return TestClient.connect(this.runtimeDir, role);
  }

  /** Kill it, and wait until it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) {
      return child?.exitCode ?? null;
    }
    const gone = new Promise<number | null>(done => child.once('exit', code => done(code)));
    child.kill(signal);
    return gone;
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** Make a directory. */
export function directory(path: string, mode = 0o700): string {
  mkdirSync(path, { recursive: true, mode });
  return path;
}
