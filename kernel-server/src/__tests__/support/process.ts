/** Starts the real, bundled sidecar for tests, with the small engine or, where asked for, the real one. */
import { build, Plugin } from 'esbuild';
import { ChildProcess, spawn } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TestClient } from './client';

const ROOT = resolve(__dirname, '../../../..');
const BUNDLES = join(ROOT, `.cache/kernel-server-tests/${process.pid}`);
const bundles = new Map<Engine, Promise<string>>();

/** The engine of `small-engine.ts`, or the one that users have. */
type Engine = 'small' | 'real';

const smallEngine: Plugin = {
  name: 'small-engine',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\.\/engine\/service$/ }, () => ({ path: join(__dirname, 'small-engine.ts') }))
};

/** Bundle main.ts, once a test run; inside the project, where its native modules are found. */
export function bundleSidecar(engine: Engine = 'small'): Promise<string> {
  let bundle = bundles.get(engine);
  if (!bundle) {
    const folder = join(BUNDLES, engine);
    bundle = (async () => {
      await build({
        absWorkingDir: ROOT,
        entryPoints: {
          main: 'kernel-server/src/main.ts',
          ...(engine === 'real' && { 'engine-worker': 'kernel-server/src/engine/worker.ts' })
        },
        outdir: folder,
        outExtension: { '.js': '.cjs' },
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'cjs',
        logLevel: 'error',
        external: ['zeromq', 'onnxruntime-node', 'webgpu'],
        plugins: engine === 'small' ? [smallEngine] : []
      });
      if (engine === 'real') {
        copyFileSync(join(ROOT, 'engine/build/engine.wasm'), join(folder, 'engine.wasm'));
      }
      return join(folder, 'main.cjs');
    })();
    bundles.set(engine, bundle);
  }
  return bundle;
}

/** Remove the bundles. */
export function removeBundle(): void {
  rmSync(BUNDLES, { recursive: true, force: true });
}

/** A sidecar in directories of its own. */
export class TestSidecar {
  constructor(private readonly _engine: Engine = 'small') {}

  readonly base = mkdtempSync(join(tmpdir(), 'sl-'));
  runtimeDir = join(this.base, 'run');
  dataDir = join(this.base, 'data');
  arraysDir = join(this.base, 'arrays');
  /** In place of `arraysDir`: where the sidecar makes its folder in memory. */
  memoryDir: string | undefined;
  /** Another user, as whom the sidecar runs; only root may set it. */
  user: number | undefined;
  log = '';
  process: ChildProcess | undefined;

  /** Arguments of each start. */
  args: readonly string[] = [];

  /** A command that starts it, as `unshare` does. */
  launcher: string[] = [];

  /** Start it and wait until it is ready; rejects with its log when it ends instead. */
  async start(...args: string[]): Promise<this> {
    const main = await bundleSidecar(this._engine);
    const arrays = this.memoryDir ? ['--memory-dir', this.memoryDir] : ['--arrays-dir', this.arraysDir];
    const directories = ['--runtime-dir', this.runtimeDir, '--data-dir', this.dataDir, ...arrays, ...this.args];
    if (this.user !== undefined) {
      chownSync(this.base, this.user, this.user);
    }
    const [program, ...rest] = [...this.launcher, process.execPath, '--expose-gc', main, ...directories, ...args];
    const child = spawn(program!, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(this.user !== undefined && { uid: this.user, gid: this.user })
    });
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
