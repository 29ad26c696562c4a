/** An engine for tests of the sidecar: one feature, the pixel's value, and the class whose mean is nearest. */
import { deflateRawSync } from 'node:zlib';
import { classifierFormat, classifierFormats } from '../../../../engine';
import { BridgeError } from '../../../../src/shared/errors';
import { FeatureSpec } from '../../../../src/shared/features';
import { FOREST_PRESETS, ForestParams } from '../../../../src/shared/learners';
import { LABEL_TILE } from '../../../../src/shared/limits';
import { LabelClass } from '../../../../src/shared/protocol';
import { Rect } from '../../../../src/shared/rect';
import { FEATURE_SPEC_VERSION } from '../../../../src/shared/versions';
import { IJobContext } from '../../jobs/job-context';
import { AnyClassifier, IDescribed, IEngineService } from '../../jobs/services';
import { TileFile } from '../../arrays/tile-file';

interface IMeans {
  classes: LabelClass[];
  means: number[];
}

export class EngineService implements IEngineService {
  readonly threads = 1;

  /** What was asked for. */
  readonly trained: Parameters<IEngineService['train']>[0][] = [];
  /** Trainings wait here while it is set. */
  gate: Promise<void> | undefined;
  /** What was segmented, in this order. */
  readonly applied: { slice: number; region: Rect | undefined }[] = [];
  /** Called before anything is segmented; who waits in it is waited for. */
  applying: (slice: number, region: Rect | undefined) => Promise<void> | void = () => undefined;
  /** Why the next trainings fail. */
  readonly failures: BridgeError[] = [];

  featureSpec(partial: Partial<FeatureSpec> = {}): FeatureSpec {
    if ('nonsense' in partial) {
      throw new BridgeError('invalid', 'features.nonsense is not known.');
    }
    return {
      version: FEATURE_SPEC_VERSION,
      color: 'channels',
      sigmas: [1],
      sigmaScale: 1,
      range: null,
      families: {},
      standardise: false,
      embedding: null,
      ...partial
    };
  }

  phaseCells(): ReturnType<IEngineService['phaseCells']> {
    return Promise.reject(new BridgeError('invalid', 'This engine counts no phases.'));
  }

  clean(): Promise<Uint8Array[]> {
    return Promise.reject(new BridgeError('invalid', 'This engine cleans nothing.'));
  }

  /** Fills each gap with the labels before it. */
  async interpolate(...[labels, gaps]: Parameters<IEngineService['interpolate']>): Promise<Uint8Array[][]> {
    return gaps.map(({ before, after }) => {
      const filled = new Uint8Array(deflateRawSync(Uint8Array.from(readSlice(labels, before))));
      return Array.from({ length: after - before - 1 }, () => filled);
    });
  }

  learnerParams(partial: Partial<ForestParams> = {}): ForestParams {
    return {
      trees: 1,
      maxDepth: 1,
      maxFeatures: 1,
      minLeaf: 1,
      balanced: true,
      maxSamples: 100000,
      seed: 1,
      ...partial
    };
  }

  featureNames(): string[] {
    return ['value', 'square'];
  }

  async features(
    ...[image, slice, , out]: Parameters<IEngineService['features']>
  ): ReturnType<IEngineService['features']> {
    const values = readSlice(image, slice);
    const file = new TileFile(out, 'r+');
    const both = Float32Array.from({ length: values.length * 2 }, (_, i) => values[i >> 1]! ** (1 + (i & 1)));
    file.writeBytes(0, new Uint8Array(both.buffer));
    file.close();
  }

  async train(...[request, context]: Parameters<IEngineService['train']>): ReturnType<IEngineService['train']> {
    for (let i = 0; i < 50; i++) {
      context.progress('growing trees', i, 50);
    }
    if (this.gate) {
      await Promise.race([this.gate, aborted(context)]);
    }
    context.signal.throwIfAborted();
    const failure = this.failures.shift();
    if (failure) {
      throw failure;
    }
    const sums = new Map<number, [number, number]>();
    let samples = 0;
    this.trained.push(request);
    for (const { image, labels } of [request, ...(request.others ?? [])]) {
      for (let slice = 0; slice < labels.shape[0]!; slice++) {
        const values = readSlice(image, slice);
        readSlice(labels, slice).forEach((id, i) => {
          if (id > 0) {
            const [sum, n] = sums.get(id) ?? [0, 0];
            sums.set(id, [sum + values[i]!, n + 1]);
            samples++;
          }
        });
      }
    }
    const classes = request.classes.filter(({ id }) => sums.has(id));
    const means = classes.map(({ id }) => sums.get(id)![0] / sums.get(id)![1]);
    const json = new TextEncoder().encode(JSON.stringify({ classes, means } satisfies IMeans));
    return { json, importance: null, scores: null, oobScore: 1, featureNames: this.featureNames(), trees: 1, samples };
  }

  async featureTiles(
    ...[request]: Parameters<IEngineService['featureTiles']>
  ): ReturnType<IEngineService['featureTiles']> {
    const tiles = request.tiles.map(({ row, column }) => new Uint8Array(LABEL_TILE ** 2).fill(row * 16 + column));
    return { name: this.featureNames()[request.channel]!, low: 0, high: 1, tiles };
  }

  formats() {
    return classifierFormats();
  }

  format(name: string) {
    return classifierFormat(name);
  }

  convert(classifier: Uint8Array, format: string): Uint8Array {
    return format === 'json' ? classifier : new TextEncoder().encode(format);
  }

  read(file: Uint8Array): Uint8Array {
    parse(file);
    return file;
  }

  describe(classifier: AnyClassifier): IDescribed {
    const { classes } = parse(classifier);
    const info = {
      oobScore: 1,
      classes,
      features: this.featureNames(),
      trees: 1,
      samples: 1,
      spec: {},
      forest: FOREST_PRESETS.samba,
      scores: null,
      embedding: null,
      importance: null
    };
    return { info, channels: 1, trainedOn: null, pixelSize: null };
  }

  basisOf() {
    return null;
  }

  classesOf(classifier: AnyClassifier): LabelClass[] {
    return parse(classifier).classes;
  }

  async apply(...[request, context]: Parameters<IEngineService['apply']>): ReturnType<IEngineService['apply']> {
    const { classes, means } = parse(request.classifier);
    const values = readSlice(request.image, request.slice);
    const pixels = values.length;
    const prediction = new Uint8Array(pixels);
    const probabilities = new Float32Array(pixels * classes.length);
    for (let i = 0; i < pixels; i++) {
      const distances = means.map(mean => Math.abs(mean - values[i]!));
      const best = distances.indexOf(Math.min(...distances));
      prediction[i] = classes[best]!.id;
      probabilities[i * classes.length + best] = 1;
    }
    const { out, slice, region } = request;
    await Promise.race([this.applying(slice, region), aborted(context)]);
    context.signal.throwIfAborted();
    this.applied.push({ slice, region });
    context.progress('segmenting', 1, 1);
    const put = (array: typeof out.prediction, data: Uint8Array | Float32Array) => {
      if (array) {
        const file = new TileFile(array, 'r+');
        const pixel = data.byteLength / pixels;
        const { rows, columns } = file;
        const { row0, row1, column0, column1 } = region ?? { row0: 0, row1: rows, column0: 0, column1: columns };
        const bytes = new Uint8Array(data.buffer);
        for (let row = row0; row < row1; row++) {
          const run = bytes.subarray((row * columns + column0) * pixel, (row * columns + column1) * pixel);
          file.writeBytes((slice * rows * columns + row * columns + column0) * pixel, run);
        }
        file.close();
      }
    };
    put(out.prediction, prediction);
    put(out.probabilities, probabilities);
    put(out.uncertainty, new Float32Array(pixels));
  }

  async dispose(): Promise<void> {
    // nothing to let go of
  }
}

function aborted({ signal }: IJobContext): Promise<void> {
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function parse(classifier: AnyClassifier): IMeans {
  try {
    return JSON.parse(new TextDecoder().decode('json' in classifier ? classifier.json : classifier)) as IMeans;
  } catch {
    throw new BridgeError('invalid', 'This is no classifier.');
  }
}

function readSlice(array: ConstructorParameters<typeof TileFile>[0], slice: number): Float32Array {
  const file = new TileFile(array, 'r');
  const { rows, columns } = file;
  const values = file.read({ slice, row0: 0, row1: rows, column0: 0, column1: columns });
  file.close();
  return Float32Array.from(values);
}
