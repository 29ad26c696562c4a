/**
 * The way to a GPU, on SwiftShader: a Vulkan in software that Chromium's package brings along. It shows that WebGPU computes
 * what the CPU does, and that a software adapter is never taken by itself.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { reduceAll } from '../all-maps';
import { SamService } from '../service';
import {
  bundleSamProcess,
  discImage,
  makeContext,
  makeFolder,
  tinyManifest
} from '../../__tests__/support/sam-fixture';

const CHROMIUM = '/usr/lib/chromium';
const ICD = join(CHROMIUM, 'vk_swiftshader_icd.json');
const hasSwiftShader = process.platform === 'linux' && process.arch === 'x64' && existsSync(ICD);

(hasSwiftShader ? describe : describe.skip)('WebGPU on SwiftShader (Debian’s chromium)', () => {
  const folder = makeFolder();
  const display = { low: 900, high: 3300 };
  const services: SamService[] = [];
  let processPath: string;
  let disc: ReturnType<typeof discImage>;
  const open = (provider: string) => {
    const runtimeDir = join(folder.path, 'run');
    mkdirSync(runtimeDir, { recursive: true, mode: 0o700 });
    const service = new SamService({
      processPath,
      manifest: tinyManifest(folder.path),
      env: {
        ...process.env,
        SAMBALAB_PROVIDER: provider,
        SAMBALAB_MODELS: folder.path,
        VK_ICD_FILENAMES: ICD,
        VK_DRIVER_FILES: ICD,
        LD_LIBRARY_PATH: [process.env['LD_LIBRARY_PATH'], CHROMIUM].filter(Boolean).join(':'),
        XDG_RUNTIME_DIR: runtimeDir
      }
    });
    services.push(service);
    return service;
  };

  beforeAll(() => {
    processPath = bundleSamProcess(folder.path);
    disc = discImage(folder.path);
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map(service => service.dispose()));
  });
  afterAll(() => folder.remove());

  it('is not chosen automatically, and the note says why', async () => {
    const { device } = await open('auto').embed(disc.image, display, 1, makeContext());
    expect(device.provider).toBe('cpu');
    expect(device.adapter).toBeNull();
    expect(device.note).toMatch(/WebGPU: .*SwiftShader.* is a software adapter/i);
  });

  it('computes the same as the CPU when it is chosen', async () => {
    const cpu = await open('cpu').embed(disc.image, display, 1, makeContext());
    const gpu = await open('webgpu').embed(disc.image, display, 1, makeContext());
    expect(cpu.device).toEqual({ model: 'tiny', provider: 'cpu', adapter: null, note: '' });
    expect(gpu.device.provider).toBe('webgpu');
    expect(gpu.device.adapter).toMatch(/SwiftShader/i);
    const largest = Math.max(...cpu.embedding.map(Math.abs));
    expect(largest).toBeGreaterThan(0.1);
    cpu.embedding.forEach((value, i) => expect(Math.abs(value - gpu.embedding[i]!)).toBeLessThan(1e-4 * largest));
  });

  it('computes the same layers as the CPU, also those that are not outputs of the file', async () => {
    const spec = {
      model: 'tiny',
      window: 64,
      views: 4 as const,
      layers: ['stage1', 'output'].map(layer => ({ layer, components: 3 }))
    };
    const cpu = await reduceAll(open('cpu'), disc.image, display, 1, spec, null, makeContext());
    const gpu = await reduceAll(open('webgpu'), disc.image, display, 1, spec, cpu.basis, makeContext());
    expect(gpu.device.provider).toBe('webgpu');
    cpu.maps.forEach(({ data }, i) => {
      const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largest).toBeGreaterThan(0.1);
      const worst = data.reduce((most, value, at) => Math.max(most, Math.abs(value - gpu.maps[i]!.data[at]!)), 0);
      expect(worst).toBeLessThan(1e-3 * largest);
    });
  });
});
