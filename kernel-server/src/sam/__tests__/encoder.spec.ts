/** The encoder on a GPU that fails. The GPU is a session on the CPU that fails when it is told to; all else is the real runtime. */
import { bundleModules, inNode, makeFolder, tinyManifest } from '../../__tests__/support/sam-fixture';
import { hidesGpus } from '../providers';

const folder = makeFolder();
afterAll(() => folder.remove());

interface IFound {
  values: number[][];
  devices: { provider: string; note: string }[];
  error: string | null;
  released: number;
}

/** Encode three times; the GPU fails at the second. */
function encode(provider: string): IFound {
  const modules = bundleModules(folder.path, ['./kernel-server/src/sam/encoder']);
  const manifest = tinyManifest(folder.path);
  const start = {
    kind: 'start',
    manifest,
    provider,
    note: '',
    encoder: { path: `${folder.path}/tiny.onnx`, file: manifest.encoder.file, layout: 'NCHW' },
    decoder: null
  };
  const program = `(async () => {
    const { Encoder } = require(process.argv[1]);
    const real = require('onnxruntime-node');
    let runs = 0;
    let released = 0;
    const create = async (source, options) => {
      const session = await real.InferenceSession.create(source, { ...options, executionProviders: ['cpu'] });
      if (!options.executionProviders.includes('cuda')) {
        return session;
      }
      return {
        run: (...args) => {
          if (++runs > 1) throw new Error('CUDA failure 2: out of memory.\\nat line 3');
          return session.run(...args);
        },
        release: async () => void released++
      };
    };
    const devices = [];
    const encoder = new Encoder(JSON.parse(process.argv[2]), () => ({ ...real, Tensor: real.Tensor, InferenceSession: { create } }), device => devices.push(device));
    const pixels = Float32Array.from({ length: 3 * 32 * 32 }, (_, i) => Math.sin(i));
    const values = [];
    let error = null;
    try {
      await encoder.open(['output'], () => undefined);
      for (let i = 0; i < 3; i++) {
        values.push([...(await encoder.encode(pixels, ['output'], () => undefined, async () => undefined)).get('output')]);
      }
    } catch (reason) {
      error = reason.message;
    }
    console.log(JSON.stringify({ values, devices, error, released }));
    process.exit(0);
  })()`;
  return inNode(program, modules, JSON.stringify(start)) as IFound;
}

describe('An encoder whose GPU fails', () => {
  it('goes on on the CPU with the same result, and says why', () => {
    const { values, devices, error, released } = encode('auto');
    expect(error).toBeNull();
    expect(devices.map(({ provider }) => provider)).toEqual(['cuda', 'cpu']);
    expect(devices[1]!.note).toBe('cuda fails: CUDA failure 2: out of memory');
    expect(released).toBe(1);
    expect(Math.max(...values[0]!.map(Math.abs))).toBeGreaterThan(0.1);
    [1, 2].forEach(i => values[i]!.forEach((value, at) => expect(value).toBeCloseTo(values[0]![at]!, 4)));
  });

  it('tells a user who chose it what would do', () => {
    const { values, error } = encode('cuda');
    expect(values).toHaveLength(1);
    expect(error).toBe(
      'SAMBALAB_PROVIDER=cuda, but cuda fails: CUDA failure 2: out of memory. Leave it unset to use the CPU.'
    );
  });
});

describe('CUDA_VISIBLE_DEVICES', () => {
  it.each(['', ' ', '-1', 'NoDevFiles', '-1,0'])('%p hides the GPUs, from WebGPU too', visible => {
    expect(hidesGpus(visible)).toBe(true);
  });

  it.each([undefined, '0', '1,0', 'GPU-5a1c', '0,-1'])('%p does not', visible => {
    expect(hidesGpus(visible)).toBe(false);
  });
});
