/** The engine's worker, bundled into a folder of its own for the tests, and shared arrays in that folder. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArrayDescriptor, Dtype } from '../../../../src/shared/protocol';
import { allocate, TypedArray } from '../../arrays/dtypes';

const root = join(__dirname, '../../../..');
export const wasm = join(root, 'engine/build/engine.wasm');

export class EngineFolder {
  /** Bundle the worker. esbuild runs in a process of its own, since it does not bear Jest's globals. */
  constructor() {
    execFileSync(process.execPath, [
      join(root, 'node_modules/esbuild/bin/esbuild'),
      join(root, 'kernel-server/src/engine/worker.ts'),
      '--bundle',
      '--platform=node',
      '--target=node20',
      '--format=cjs',
      '--log-level=warning',
      `--outfile=${this.worker}`
    ]);
  }

  readonly path = mkdtempSync(join(tmpdir(), 'sambalab-engine-'));
  readonly worker = join(this.path, 'engine-worker.cjs');

  /** A shared array with these values, or zeros. */
  array(dtype: Dtype, shape: number[], values?: ArrayLike<number>): ArrayDescriptor {
    const path = join(this.path, `array-${this._arrays++}`);
    const data = allocate(
      dtype,
      shape.reduce((product, n) => product * n, 1)
    );
    if (values) {
      data.set(values);
    }
    writeFileSync(path, new Uint8Array(data.buffer));
    return { path, dtype, shape, version: 0 };
  }

  read({ path, dtype }: ArrayDescriptor): TypedArray {
    const bytes = readFileSync(path);
    const out = allocate(dtype, bytes.length / allocate(dtype, 1).BYTES_PER_ELEMENT);
    new Uint8Array(out.buffer).set(bytes);
    return out;
  }

  dispose(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  private _arrays = 0;
}
