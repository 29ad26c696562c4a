/** Helpers of SAM's tests: the SAM process as it is shipped, tiny models, images with known content. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ArrayDescriptor } from '../../../../src/shared/protocol';
import { IModelFile, IModelManifest } from '../../../../src/shared/models';
import { MOBILE_SAM } from '../../../../src/shared/models/mobile-sam';
import { IJobContext } from '../../jobs/job-context';
import { encodeTinyModel } from '../../sam/tiny-model';

const ROOT = join(__dirname, '../../../..');

/** A folder inside the project, so that bundles in it find the packages. */
export function makeFolder(): { path: string; remove(): void } {
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  const path = mkdtempSync(join(ROOT, '.cache/sam-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Bundle the SAM process as the build does. */
export function bundleSamProcess(folder: string): string {
  const options = {
    absWorkingDir: ROOT,
    entryPoints: ['kernel-server/src/sam/child-process.ts'],
    outfile: join(folder, 'sam-child-process.cjs'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: ['onnxruntime-node', 'webgpu'],
    logLevel: 'error'
  };
  const program = `require('esbuild').buildSync(JSON.parse(process.argv[1]))`;
  execFileSync(process.execPath, ['-e', program, JSON.stringify(options)], { cwd: ROOT });
  return options.outfile;
}

/** Bundle the decoder's thread as the build does, with the kernels beside it. */
export function bundleDecoderThread(folder: string): void {
  const options = {
    absWorkingDir: ROOT,
    entryPoints: ['kernel-server/src/sam/decoder-worker.ts'],
    outfile: join(folder, 'decoder-worker.cjs'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'error'
  };
  const program = `require('esbuild').buildSync(JSON.parse(process.argv[1]))`;
  execFileSync(process.execPath, ['-e', program, JSON.stringify(options)], { cwd: ROOT });
  for (const kernels of ['decoder.wasm', 'decoder-relaxed.wasm']) {
    copyFileSync(join(ROOT, 'engine/build', kernels), join(folder, kernels));
  }
}

/** Bundle `src/sam` and MobileSAM's manifest as one module for {@link inNode}. */
export function bundleSam(folder: string): string {
  return bundleModules(folder, ['./src/sam']);
}

/** Bundle modules, and MobileSAM's manifest, as one for {@link inNode}. */
export function bundleModules(folder: string, modules: string[]): string {
  const outfile = join(folder, 'sam.cjs');
  const contents = [...modules, './src/shared/models/mobile-sam'].map(name => `export * from '${name}';`).join('\n');
  const stdin = { contents, resolveDir: ROOT, loader: 'ts' };
  const external = ['onnxruntime-node', 'webgpu'];
  const options = { absWorkingDir: ROOT, stdin, outfile, bundle: true, platform: 'node', format: 'cjs', external };
  const program = `require('esbuild').buildSync(JSON.parse(process.argv[1]))`;
  execFileSync(process.execPath, ['-e', program, JSON.stringify(options)], { cwd: ROOT });
  return outfile;
}

/** Build the decoder's graph. */
export function buildDecoder(folder: string): string {
  const path = join(folder, 'decoder.onnx');
  execFileSync(process.execPath, [join(ROOT, 'scripts/build-decoder.mjs'), 'mobile-sam', path], { cwd: ROOT });
  return path;
}

/** Run a program in Node, where native addons get typed arrays of their own kind (Jest's are others). Returns its JSON. */
export function inNode(program: string, ...args: string[]): unknown {
  return JSON.parse(
    execFileSync(process.execPath, ['-e', program, ...args], { cwd: ROOT, maxBuffer: 1 << 28 }).toString()
  );
}

/** A context that collects messages. */
export function makeContext(
  onProgress: (stage: string, message?: string) => void = () => undefined,
  signal = new AbortController().signal
): IJobContext & { messages: string[] } {
  const messages: string[] = [];
  return {
    signal,
    messages,
    progress: (stage, _done, _total, message) => {
      if (message !== undefined) {
        messages.push(message);
      }
      onProgress(stage, message);
    }
  };
}

/** A bright disc on a dark ground, both noisy; as a shared array, and the exact mask. */
export function discImage(folder: string): {
  image: ArrayDescriptor;
  size: { rows: number; columns: number };
  centre: { row: number; column: number };
  truth: Uint8Array;
} {
  const size = { rows: 240, columns: 320 };
  const centre = { row: 110, column: 190 };
  const pixels = new Uint16Array(2 * size.rows * size.columns);
  const truth = new Uint8Array(size.rows * size.columns);
  let state = 11;
  for (let i = 0; i < truth.length; i++) {
    const [row, column] = [Math.floor(i / size.columns), i % size.columns];
    truth[i] = (row - centre.row) ** 2 + (column - centre.column) ** 2 <= 55 ** 2 ? 1 : 0;
    state = (state * 48271) % 2147483647;
    pixels[truth.length + i] = (truth[i] ? 3000 : 1000) + (state % 300);
  }
  // The disc is on the second slice; the first is empty, so that reading the wrong slice fails the test.
  const path = join(folder, 'disc.u16');
  writeFileSync(path, pixels);
  return { image: { path, dtype: 'uint16', shape: [2, size.rows, size.columns, 1], version: 0 }, size, centre, truth };
}

/** Intersection over union of two masks. */
export function intersectionOverUnion(a: Uint8Array, b: Uint8Array): number {
  const both = a.filter((value, i) => value && b[i]).length;
  return both / a.filter((value, i) => value || b[i]).length;
}

/** Weights of the tiny model: 4 channels of the embedding and 6 of the layer before it, each over three colours of a square. */
export const TINY_KERNELS = {
  output: Float32Array.from({ length: 4 * 3 * 64 }, (_, i) => (((i * 37) % 101) - 50) / 500),
  stage1: Float32Array.from({ length: 6 * 3 * 16 }, (_, i) => (((i * 53) % 97) - 48) / 300)
};

/**
 * A model whose encoder is one convolution on a frame of 32 pixels, so that it runs anywhere in no time. Another one beside it, with cells of 4
 * pixels instead of 8, is the layer `stage1`, which is not an output of the graph.
 */
export function tinyManifest(folder: string): IModelManifest {
  const kernel = (name: keyof typeof TINY_KERNELS, side: number, channels: number) => ({
    name: `kernel-${name}`,
    shape: [channels, 3, side, side],
    data: TINY_KERNELS[name]
  });
  const convolution = (name: keyof typeof TINY_KERNELS, side: number, out: string) => ({
    operator: 'Conv',
    inputs: ['pixels', `kernel-${name}`],
    outputs: [out],
    attributes: { kernel_shape: [side, side], strides: [side, side] }
  });
  const model = encodeTinyModel({
    inputs: [{ name: 'pixels', shape: [1, 3, 32, 32] }],
    outputs: [{ name: 'embedding', shape: [1, 4, 4, 4] }],
    weights: [kernel('output', 8, 4), kernel('stage1', 4, 6)],
    nodes: [convolution('output', 8, 'embedding'), convolution('stage1', 4, 'fine')]
  });
  const file = writeModel(folder, 'tiny.onnx', model);
  return {
    ...MOBILE_SAM,
    id: 'tiny',
    encoder: {
      ...MOBILE_SAM.encoder,
      file,
      input: 'pixels',
      size: 32,
      layers: {
        stage1: { title: 'Fine', tensor: 'fine', shape: [6, 8, 8] },
        output: { title: 'Output', tensor: 'embedding', shape: [4, 4, 4] }
      }
    }
  };
}

/** Write a file and describe it. */
export function writeModel(folder: string, name: string, bytes: Uint8Array): IModelFile {
  writeFileSync(join(folder, name), bytes);
  return { name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Wait until something is so; for what another process does in its own time. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (isSo()) {
      return;
    }
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  throw new Error(`Waited in vain: ${what}.`);
}

/** Whether a process runs; a zombie that nobody has fetched does not. */
export function isRunning(pid: number): boolean {
  try {
    const status = execFileSync('ps', ['-o', 'stat=', '-p', String(pid)])
      .toString()
      .trim();
    return status !== '' && !status.startsWith('Z');
  } catch {
    return false;
  }
}
