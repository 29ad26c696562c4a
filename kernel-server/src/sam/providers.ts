/**
 * Decides where the encoder runs: on CUDA if its libraries load, else on WebGPU if there is a real adapter, else on the CPU.
 *
 * Native GPU code may crash or hang when it looks for devices. So short-lived processes with a time limit look for them; they run this same
 * bundle, see {@link runProbe}.
 */
import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import type { InferenceSession } from 'onnxruntime-node';
import { BridgeError } from '../../../src/shared/errors';
import { adapterName, IAdapterInfo, isSoftwareAdapter } from '../../../src/shared/gpu-adapters';
import type { SamDevice } from '../../../src/shared/protocol';
import type { ProviderChoice } from './messages';
import type { EncoderStages } from './encoder-stages';
import { probeModel } from './tiny-model';

export type ProbeKind = 'adapter' | 'runtime';

/** The command line argument that makes the bundle a probe. */
export const PROBE_ARGUMENT = '--probe=';

/** Milliseconds until a probe counts as hung; drivers may compile shaders on their first run. */
const PROBE_MS = 30000;

/** The largest difference between GPU and CPU in the result of the tiny graph. */
const TINY_TOLERANCE = 1e-2;

/** The part of the runtime's module that is used; loaded late, since it is native code. */
export type Runtime = typeof import('onnxruntime-node');

/** An encoder's session, or its stages, and where it runs. */
export interface IPlacedSession {
  session: InferenceSession | EncoderStages;
  device: SamDevice;
}

/** A model's file, or its bytes. */
export type ModelSource = string | Uint8Array;

/**
 * Open the model on the best available provider, or on the chosen one.
 *
 * @param model `onCpu` opens it on the CPU
 */
export async function placeSession(
  runtime: Runtime,
  model: { id: string; source: ModelSource; onCpu(): Promise<IPlacedSession['session']> },
  choice: ProviderChoice,
  reason: string
): Promise<IPlacedSession> {
  const notes = reason ? [reason] : [];
  const device = (provider: SamDevice['provider'], adapter: string | null): SamDevice => ({
    model: model.id,
    provider,
    adapter,
    note: notes.join('; ')
  });
  const failed = (provider: string, why: string) => {
    if (choice !== 'auto') {
      throw new BridgeError('compute', `SAMBALAB_PROVIDER=${choice}, but ${provider} cannot be used: ${why}.`);
    }
    notes.push(`${provider}: ${why}`);
  };

  if (choice === 'auto' || choice === 'cuda') {
    try {
      const session = await create(runtime, model.source, { executionProviders: ['cuda'] });
      return { session, device: device('cuda', null) };
    } catch (error) {
      failed('CUDA', firstLine(error));
    }
  }
  const hidden = choice === 'auto' && hidesGpus(process.env['CUDA_VISIBLE_DEVICES']);
  if (hidden) {
    // Vulkan does not know this variable, and would show the GPUs all the same.
    notes.push('WebGPU: CUDA_VISIBLE_DEVICES hides the GPUs');
  }
  if ((choice === 'auto' && !hidden) || choice === 'webgpu') {
    const { adapter, why } = await probeWebGpu(choice === 'webgpu');
    if (adapter === null) {
      failed('WebGPU', why);
    } else {
      try {
        const session = await create(runtime, model.source, { executionProviders: ['webgpu'] });
        return { session, device: device('webgpu', adapter) };
      } catch (error) {
        failed('WebGPU', firstLine(error));
      }
    }
  }
  return { session: await model.onCpu(), device: device('cpu', null) };
}

/** Whether a value of CUDA_VISIBLE_DEVICES hides all GPUs: an empty one, or one that begins with no device. */
export function hidesGpus(visible: string | undefined): boolean {
  return visible !== undefined && /^\s*(-1|nodevfiles|none|void)?\s*(,|$)/i.test(visible);
}

/** Open a model on all cores. */
export function openOnCpu(runtime: Runtime, source: ModelSource): Promise<InferenceSession> {
  return create(runtime, source, {
    executionProviders: ['cpu'],
    intraOpNumThreads: availableParallelism()
  });
}

/**
 * Open a stage of an encoder on all cores. The threads of a stage that has run must not spin beside those of the next one. On Linux the stages share
 * the memory that malloc keeps (see {@link MALLOC}); elsewhere each keeps its own.
 */
export function openStage(runtime: Runtime, model: Uint8Array): Promise<InferenceSession> {
  return create(runtime, model, {
    executionProviders: ['cpu'],
    intraOpNumThreads: availableParallelism(),
    enableCpuMemArena: process.platform !== 'linux',
    enableMemPattern: false,
    logSeverityLevel: 3,
    extra: { session: { force_spinning_stop: '1' } }
  });
}

/**
 * Environment of the SAM process: glibc's malloc keeps what was freed, as the runtime's own arena does. To map and unmap each tensor costs a fifth of the
 * encoder's time.
 */
export const MALLOC: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: String(2 ** 32 - 1),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 32 - 1)
};

function create(
  runtime: Runtime,
  source: ModelSource,
  options: InferenceSession.SessionOptions
): Promise<InferenceSession> {
  // The runtime has an overload for each.
  return typeof source === 'string'
    ? runtime.InferenceSession.create(source, options)
    : runtime.InferenceSession.create(source, options);
}

/** The name of the adapter that WebGPU would run on, or why it cannot. */
async function probeWebGpu(allowSoftware: boolean): Promise<{ adapter: string | null; why: string }> {
  const found = await inProbe<IAdapterInfo | null>('adapter');
  if ('why' in found) {
    return { adapter: null, why: found.why };
  }
  const info = found.value;
  if (info === null) {
    return { adapter: null, why: 'no adapter was found' };
  }
  const name = adapterName(info);
  if (isSoftwareAdapter(info) && !allowSoftware) {
    return { adapter: null, why: `${name} is a software adapter` };
  }
  const tried = await inProbe<number>('runtime');
  if ('why' in tried) {
    return { adapter: null, why: `on ${name}, ${tried.why}` };
  }
  // Written so that NaN fails as well.
  if (!(tried.value <= TINY_TOLERANCE)) {
    return { adapter: null, why: `${name} computes wrongly, a tiny graph is off by ${tried.value}` };
  }
  return { adapter: name, why: '' };
}

/** Run a probe in a short-lived process. */
function inProbe<T>(kind: ProbeKind): Promise<{ value: T } | { why: string }> {
  return new Promise(resolve => {
    const child = fork(__filename, [PROBE_ARGUMENT + kind], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc']
    });
    const timer = setTimeout(() => {
      resolve({ why: `the probe gave no answer in ${PROBE_MS / 1000} s` });
      child.kill('SIGKILL');
    }, PROBE_MS);
    child.on('message', message => {
      resolve(message as { value: T } | { why: string });
      child.kill('SIGKILL');
    });
    child.on('error', error => resolve({ why: `the probe could not start (${error.message})` }));
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      resolve({ why: `the probe died (${signal ?? `exit code ${code}`})` });
    });
  });
}

/** The main function of a probe process, which is killed once it has answered. */
export async function runProbe(kind: ProbeKind): Promise<void> {
  process.on('disconnect', () => process.exit(0));
  try {
    const value = kind === 'adapter' ? await findAdapter() : await tryRuntime();
    process.send!({ value });
  } catch (error) {
    process.send!({ why: firstLine(error) });
  }
}

/** The fields of Dawn's Node binding that are used. */
interface IDawn {
  create(options: string[]): { requestAdapter(options: object): Promise<{ info: IAdapterInfo } | null> };
}

/** Kept, since Node ends in a segmentation fault when it is garbage-collected. */
let keptGpu: unknown;

async function findAdapter(): Promise<IAdapterInfo | null> {
  const dawn = requireNative('webgpu') as IDawn;
  const gpu = dawn.create([]);
  keptGpu = gpu;
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    return null;
  }
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  return { vendor, architecture, device, description, isFallbackAdapter: Boolean(isFallbackAdapter && keptGpu) };
}

/** Packages with native parts are not bundled; they are resolved from the bundle's folder. */
const requireNative = createRequire(__filename);

/** Run a tiny graph on the runtime's WebGPU. Returns the largest difference from the right result. */
async function tryRuntime(): Promise<number> {
  const runtime = loadRuntime();
  const { model, input, output, shape } = probeModel();
  const session = await runtime.InferenceSession.create(model, { executionProviders: ['webgpu'] });
  const { y } = await session.run({ x: new runtime.Tensor('float32', input, shape) });
  const data = y!.data as Float32Array;
  return output.reduce((worst, value, i) => Math.max(worst, Math.abs(value - data[i]!)), 0);
}

/** The runtime's module. @throws BridgeError `compute` where its native part does not load. */
export function loadRuntime(): Runtime {
  try {
    return requireNative('onnxruntime-node') as Runtime;
  } catch (error) {
    throw new BridgeError(
      'compute',
      `onnxruntime-node does not load on ${process.platform} ${process.arch} (${firstLine(error)}). ` +
        'Install SambaLab again on this machine; everything but suggestions works without it.'
    );
  }
}

/** The first line of an error's message, cut to the length of a status line. */
export function firstLine(error: unknown): string {
  const line = (error instanceof Error ? error.message : String(error)).split('\n')[0]!.trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line.replace(/\.$/, '');
}

/** The largest difference of two results, as a fraction of the largest value of the second. */
export function relativeDifference(a: Float32Array, b: Float32Array): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < b.length; i++) {
    const d = Math.abs(a[i]! - b[i]!);
    difference = d <= difference ? difference : d; // a NaN stays
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return difference / largest;
}
