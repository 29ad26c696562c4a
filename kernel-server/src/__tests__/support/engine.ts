/** The real engine for tests: services on its bundled worker, and micrographs with labels. */
import { ArrayDescriptor, Dtype, LabelClass } from '../../../../src/shared/protocol';
import { EngineService } from '../../engine/service';
import { IJobContext } from '../../jobs/job-context';
import { IImageMaps, ILabelledImage, ITrained } from '../../jobs/services';
import { EngineFolder, wasm } from './engine-build';

export const CLASSES: LabelClass[] = [
  { id: 4, name: 'matrix', color: '#aa0000' },
  { id: 9, name: 'particles', color: '#00aa00' }
];

/** Bright discs in a noisy dark matrix, and what each pixel is. */
function draw(rows: number, columns: number, channels = 1) {
  let state = 1;
  const random = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) / 2 ** 24;
  const truth = Uint8Array.from({ length: rows * columns }, (_, i) => {
    const row = Math.floor(i / columns) % 40;
    const column = (i % columns) % 40;
    return Math.hypot(row - 20, column - 20) < 11 ? 9 : 4;
  });
  const pixels = Uint8Array.from({ length: rows * columns * channels }, (_, i) => {
    const bright = truth[Math.floor(i / channels)] === 9;
    return Math.floor((bright ? 150 : 80) + 40 * random() + (i % channels));
  });
  return { truth, pixels };
}

/** Labels of some rows of the truth. */
export function someRows(truth: Uint8Array, columns: number, step = 16, first = 4): Uint8Array {
  return truth.map((id, i) => (Math.floor(i / columns) % step === first ? id : 0));
}

export function context(signal = new AbortController().signal): IJobContext & { said: [string, number, number][] } {
  const said: [string, number, number][] = [];
  return { signal, said, progress: (stage, done, total) => said.push([stage, done, total]) };
}

/** An image, labels of some of its rows, and what each pixel is. */
export interface IMicrograph {
  image: ArrayDescriptor;
  labels: ArrayDescriptor;
  truth: Uint8Array;
  shape: [number, number, number];
}

/** Services of the real engine and micrographs to try them on. */
export class EngineBench {
  readonly folder = new EngineFolder();

  service(options: Partial<EngineService.IOptions> = {}): EngineService {
    const service = new EngineService({ threads: 2, script: this.folder.worker, wasm, ...options });
    this._services.push(service);
    return service;
  }

  micrograph(rows: number, columns: number, channels = 1, dtype: Dtype = 'uint8'): IMicrograph {
    const { truth, pixels } = draw(rows, columns, channels);
    return {
      image: this.folder.array(dtype, [1, rows, columns, channels], pixels),
      labels: this.folder.array('uint8', [1, rows, columns], someRows(truth, columns)),
      truth,
      shape: [1, rows, columns]
    };
  }

  async train(
    service: EngineService,
    { image, labels }: Pick<IMicrograph, 'image' | 'labels'>,
    options: {
      forest?: object;
      features?: object;
      cacheKey?: string;
      context?: IJobContext;
      classes?: LabelClass[];
      others?: readonly ILabelledImage[];
      embedding?: IImageMaps | undefined;
    } = {}
  ): Promise<ITrained> {
    return service.train(
      {
        image,
        labels,
        classes: options.classes ?? CLASSES,
        spec: service.featureSpec({ set: 'samba', ...options.features }),
        forest: service.learnerParams({ preset: 'samba', trees: 20, ...options.forest }),
        cacheKey: options.cacheKey ?? image.path,
        others: options.others ?? [],
        ...(options.embedding && { embedding: options.embedding })
      },
      options.context ?? context()
    );
  }

  async apply(
    service: EngineService,
    trained: ITrained,
    { image, shape }: IMicrograph,
    cacheKey?: string,
    embedding?: IImageMaps
  ) {
    const out = {
      prediction: this.folder.array('uint8', shape),
      probabilities: this.folder.array('float32', [...shape, 2]),
      uncertainty: this.folder.array('float32', shape)
    };
    const request = { classifier: trained.json, image, slice: 0, out, ...(embedding && { embedding }) };
    await service.apply(cacheKey === undefined ? request : { ...request, cacheKey }, context());
    return {
      prediction: this.folder.read(out.prediction),
      probabilities: this.folder.read(out.probabilities),
      uncertainty: this.folder.read(out.uncertainty)
    };
  }

  async dispose(): Promise<void> {
    await Promise.all(this._services.map(async service => service.dispose()));
    this.folder.dispose();
  }

  private readonly _services: EngineService[] = [];
}

/** The part of the pixels that are what they should be. */
export function agreement(prediction: ArrayLike<number>, truth: Uint8Array): number {
  return truth.filter((id, i) => id === prediction[i]).length / truth.length;
}
