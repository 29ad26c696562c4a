/**
 * SAM for the sidecar. The models run in the SAM process, which is started when it is first needed and stopped when idle. If it dies, the job's
 * progress says so and the job is tried once more; if it dies again and a GPU may be the cause, the job is tried on the CPU.
 */
import { join } from 'node:path';
import type { IEmbeddingBasis } from '../../../engine/core/embedding';
import { BridgeError } from '../../../src/shared/errors';
import type { EmbeddingLayer, EmbeddingSpec } from '../../../src/shared/features';
import type { ArrayDescriptor, EmbeddingModel, ImageInfo, PointPrompt, SamDevice } from '../../../src/shared/protocol';
import {
  DEFAULT_MODEL,
  encoderLayer,
  encoderLayers,
  IModelFile,
  IModelManifest,
  IPromptModel,
  promptLength
} from '../../../src/shared/models';
import type { Rect } from '../../../src/shared/rect';
import {
  encodePrompts,
  ICandidates,
  IPrompts,
  IProposal,
  ISeenContrast,
  ISize,
  upscaleMaskRegion
} from '../../../src/sam';
import { log } from '../base/log';
import type { IJobContext } from '../jobs/job-context';
import type { ISamService, ISimilarQuery, IWholeToo } from '../jobs/services';
import { verifyAgain } from './encoder';
import type { EncoderSource, IEmbedResult, IPlacedFile, ProviderChoice, SamJob } from './messages';
import { PROVIDERS } from './messages';
import { checkModelFile, encoderInFolders } from './model-files';
import { IOpenedModel, modelFolders } from './model-search';
import { SamProcessDied, SamProcess } from './sam-process';

/** Masks are made in pieces of about this many pixels, so that the sidecar can do other work between them. */
const BAND_PIXELS = 1 << 20;

export class SamService implements ISamService {
  constructor(options: SamService.IOptions = {}) {
    const directory = options.directory ?? __dirname;
    this._env = options.env ?? process.env;
    const builtIn = options.manifest ?? DEFAULT_MODEL;
    this.manifest = options.model?.manifest ?? builtIn;
    this._processPath = options.processPath ?? join(directory, 'sam-child-process.cjs');
    const decoderPath =
      options.decoderPath ?? this._env['SAMBALAB_DECODER'] ?? join(directory, builtIn.decoder.file.name);
    this._decoder = options.model?.decoder ?? { path: decoderPath, file: builtIn.decoder.file };
    this._encoder = options.model?.encoder ?? { builtIn, path: null };
    this._problem = options.model?.problems.join(' ') ?? '';
    this._remedy = options.model
      ? verifyAgain(options.model.manifest)
      : 'Install SambaLab again; in a source tree run `npm run build`.';
    this._graceMs = options.graceMs ?? 30_000;
    this._silenceMs = options.silenceMs ?? 300_000;
    this._idleMs = options.idleMs ?? 900_000;
  }

  readonly manifest: IPromptModel;

  get device(): SamDevice | null {
    return this._device;
  }

  get pid(): number | null {
    return this._process?.pid ?? null;
  }

  get encoder(): EmbeddingModel {
    return { model: this.manifest.id, digest: this._encoderFile.sha256 };
  }

  get problem(): string | null {
    return this._problem || null;
  }

  async decoder(): Promise<{ digest: string; path: string; bytes: number }> {
    const { path, file } = this._decoder;
    const { sha256, bytes } = file;
    this._decoderChecked ??= checkModelFile(path, file, this._remedy);
    try {
      await this._decoderChecked;
    } catch (error) {
      this._decoderChecked = undefined; // check again next time: the user may replace the file
      throw error;
    }
    return { digest: sha256, path, bytes };
  }

  async embed(
    image: ArrayDescriptor,
    contrast: ISeenContrast,
    slice: number,
    context: IJobContext,
    within?: Rect
  ): Promise<{ embedding: Float32Array; device: SamDevice; seconds: number }> {
    checkSlice(image, slice);
    const result = await this._run({ kind: 'embed', image, contrast, slice, within }, context);
    this._device = result.device;
    return result;
  }

  async reduce(
    image: ArrayDescriptor,
    display: ImageInfo['display'],
    slice: number,
    spec: EmbeddingSpec,
    basis: IEmbeddingBasis | null,
    windows: readonly number[],
    context: IJobContext,
    whole?: IWholeToo,
    within?: Rect
  ): ReturnType<ISamService['reduce']> {
    checkSlice(image, slice);
    const { window, views, layers } = spec;
    this.checkSpec(spec);
    if (basis) {
      this._checkBasis(basis, layers);
    }
    let embedding: Float32Array | null = null;
    const job = {
      kind: 'reduce' as const,
      image,
      within,
      display,
      slice,
      window: window!,
      views,
      contrast: whole?.contrast ?? null,
      windows,
      layers,
      basis: basis?.layers ?? null
    };
    const result = await this._run(job, context, early => {
      this._device = early.device;
      embedding = early.embedding;
      whole?.take(early);
    });
    this._device = result.device;
    return {
      basis: basis ?? { ...this.encoder, layers: result.basis },
      windows: result.windows,
      embedding,
      device: result.device,
      seconds: result.seconds
    };
  }

  decode(embedding: Float32Array, size: ISize, prompts: IPrompts, context: IJobContext): Promise<ICandidates> {
    const { rows, columns } = size;
    try {
      encodePrompts(prompts, size, this.manifest);
    } catch (error) {
      return Promise.reject(new BridgeError('invalid', (error as Error).message));
    }
    const length = promptLength(this.manifest);
    if (embedding.length !== length) {
      const message = `The embedding has ${embedding.length} numbers; ${length} will do.`;
      return Promise.reject(new BridgeError('invalid', message));
    }
    return this._run({ kind: 'suggest', embedding, size: { rows, columns }, prompts }, context);
  }

  async suggest(
    embedding: Float32Array,
    size: ISize,
    points: PointPrompt[],
    context: IJobContext
  ): Promise<{ masks: Uint8Array; scores: [number, number, number] }> {
    const { rows, columns } = size;
    const { lowRes, scores } = await this.decode(embedding, size, { points }, context);
    const masks = new Uint8Array(lowRes.length * rows * columns);
    const band = Math.max(1, Math.floor(BAND_PIXELS / columns));
    for (const [index, logits] of lowRes.entries()) {
      for (let row0 = 0; row0 < rows; row0 += band) {
        context.signal.throwIfAborted();
        const region = { row0, row1: Math.min(rows, row0 + band), column0: 0, column1: columns };
        masks.set(upscaleMaskRegion(logits, size, region, this.manifest), (index * rows + row0) * columns);
        if (rows * columns > BAND_PIXELS) {
          await new Promise(resolve => setImmediate(resolve));
        }
      }
    }
    return { masks, scores: scores as [number, number, number] };
  }

  similar(embedding: Float32Array, size: ISize, query: ISimilarQuery, context: IJobContext): Promise<IProposal[]> {
    return this._run({ kind: 'similar', embedding, size, query }, context);
  }

  async dispose(): Promise<void> {
    this._disposed = true;
    clearTimeout(this._idle);
    await this._process?.stop();
  }

  checkSpec({ model, window, layers }: EmbeddingSpec): void {
    const manifest = this.manifest;
    if (window === null) {
      throw new BridgeError('invalid', 'features.embedding.window is null; a number of pixels is needed here.');
    }
    if (model !== manifest.id) {
      throw new BridgeError(
        'model',
        `The features use the embedding of ${model}, but the model here is ${manifest.id} (${manifest.title}). ` +
          `Choose ${manifest.id} as features.embedding.model, or turn the embedding off.`
      );
    }
    for (const { layer, components } of layers) {
      const channels = encoderLayer(manifest, layer)?.shape[0];
      if (channels === undefined) {
        throw new BridgeError(
          'invalid',
          `${manifest.title} has no layer ${layer}; ${encoderLayers(manifest).join(', ')} will do.`
        );
      }
      if (components > channels) {
        throw new BridgeError(
          'invalid',
          `The layer ${layer} of ${manifest.title} has ${channels} channels; ${components} components cannot be made of them.`
        );
      }
    }
  }

  private _checkBasis(basis: IEmbeddingBasis, layers: EmbeddingLayer[]): void {
    const { model, digest } = this.encoder;
    if (basis.digest !== digest) {
      throw new BridgeError(
        'model',
        `The classifier uses the embedding of ${basis.model} (SHA-256 ${basis.digest.slice(0, 12)}…), but the model here is ${model} ` +
          `(${digest.slice(0, 12)}…). Set SAMBALAB_MODELS to a folder with the classifier's model, or train again.`
      );
    }
    const wanted = layers.map(({ layer, components }) => `${layer} (${components})`).join(', ');
    const given = basis.layers.map(({ layer, components }) => `${layer} (${components})`).join(', ');
    if (wanted !== given) {
      throw new BridgeError('invalid', `The embedding was reduced to ${given}; the features use ${wanted}.`);
    }
  }

  private async _run<J extends SamJob>(job: J, context: IJobContext, onEmbedding?: (result: IEmbedResult) => void) {
    const chosen = this._choice();
    for (let deaths = 0; ; deaths++) {
      const child = await this._start(chosen);
      try {
        return await child.run(job, context, onEmbedding);
      } catch (error) {
        if (error instanceof BridgeError && error.code === 'model' && this._problem) {
          throw new BridgeError('model', `${this._problem} But: ${error.message}`);
        }
        if (!(error instanceof SamProcessDied)) {
          throw error;
        }
        if (this._disposed) {
          throw new BridgeError('cancelled', 'The sidecar is leaving.');
        }
        // No device: it died while a GPU was being tried.
        const onGpu = !this._cpuOnly && chosen === 'auto' && error.device?.provider !== 'cpu';
        if (deaths === 0) {
          context.progress('starting again', 0, 1, 'the SAM process died, trying once more');
        } else if (deaths === 1 && onGpu) {
          const where = error.device?.adapter ?? error.device?.provider ?? 'the GPU';
          this._cpuOnly = `the SAM process died twice on ${where} (${error.how})`;
          context.progress('starting again', 0, 1, 'the SAM process died again, trying on the CPU');
        } else {
          throw new BridgeError(
            'compute',
            `The SAM process died ${deaths + 1} times over this (${error.how}). ` +
              'Everything but suggestions works without it. Try again, or check whether memory runs out.'
          );
        }
      } finally {
        this._device = child.device ?? this._device;
        this._letGoWhenIdle();
      }
    }
  }

  private async _start(chosen: ProviderChoice): Promise<SamProcess> {
    const encoder = await this._placedEncoder();
    if (this._disposed) {
      throw new BridgeError('cancelled', 'The sidecar is leaving.');
    }
    clearTimeout(this._idle);
    if (!this._process || this._process.isEnded) {
      this._process = new SamProcess({
        path: this._processPath,
        env: this._env,
        graceMs: this._graceMs,
        silenceMs: this._silenceMs,
        start: {
          kind: 'start',
          manifest: this.manifest,
          provider: this._cpuOnly ? 'cpu' : chosen,
          note: this._cpuOnly,
          encoder,
          decoder: this._decoder
        }
      });
    }
    return this._process;
  }

  /** The encoder's file for a new process. That of the built-in model is looked for each time: the user may have mended one. */
  private async _placedEncoder(): Promise<EncoderSource> {
    const encoder = this._encoder;
    if (!('builtIn' in encoder) || (this._process && !this._process.isEnded)) {
      return encoder;
    }
    this._looking ??= encoderInFolders(encoder.builtIn, modelFolders(this._env)).finally(
      () => (this._looking = undefined)
    );
    const { path, problems } = await this._looking;
    const problem = [...problems, `${path ?? 'The file that comes with SambaLab'} is used instead.`].join(' ');
    if (problems.length > 0 && problem !== this._problem) {
      log(problem);
    }
    this._problem = problems.length > 0 ? problem : '';
    return { ...encoder, path };
  }

  private get _encoderFile(): IModelFile {
    return 'builtIn' in this._encoder ? this._encoder.builtIn.encoder.file : this._encoder.file;
  }

  /** The provider that the user wants. */
  private _choice(): ProviderChoice {
    const value = this._env['SAMBALAB_PROVIDER'] || 'auto';
    const choice = PROVIDERS.find(name => name === value);
    if (!choice) {
      throw new BridgeError('invalid', `SAMBALAB_PROVIDER is ${value}; ${PROVIDERS.join(', ')} will do.`);
    }
    return choice;
  }

  /** Stop the process once it is idle: models hold memory, also that of a shared GPU. */
  private _letGoWhenIdle(): void {
    clearTimeout(this._idle);
    this._idle = setTimeout(() => {
      if (this._process?.jobs === 0) {
        void this._process.stop();
      }
    }, this._idleMs);
    this._idle.unref();
  }

  private readonly _env: NodeJS.ProcessEnv;
  private readonly _processPath: string;
  private readonly _encoder: EncoderSource;
  private _problem: string;
  private _looking: ReturnType<typeof encoderInFolders> | undefined;
  private readonly _decoder: IPlacedFile;
  /** What the user can do about a decoder that is damaged. */
  private readonly _remedy: string;
  private readonly _graceMs: number;
  private readonly _silenceMs: number;
  private readonly _idleMs: number;
  private _process: SamProcess | undefined;
  private _device: SamDevice | null = null;
  /** Why GPUs are no longer tried; empty while they are. */
  private _cpuOnly = '';
  private _decoderChecked: Promise<void> | undefined;
  private _idle: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

function checkSlice(image: ArrayDescriptor, slice: number): void {
  const slices = image.shape[0] ?? 0;
  if (!(Number.isInteger(slice) && slice >= 0 && slice < slices)) {
    throw new BridgeError('invalid', `There is no slice ${slice}; the image has slices 0 to ${slices - 1}.`);
  }
}

/** The namespace for {@link SamService}. */
export namespace SamService {
  export interface IOptions {
    /** The folder of `sam-child-process.cjs` and the decoder's file; by default that of the running bundle. */
    directory?: string;
    processPath?: string;
    decoderPath?: string;
    manifest?: IModelManifest;
    /** A model that the user brought, instead of a built-in one. */
    model?: IOpenedModel;
    /** Read for SAMBALAB_PROVIDER, SAMBALAB_MODELS and SAMBALAB_DECODER, and handed to the SAM process. */
    env?: NodeJS.ProcessEnv;
    /** Milliseconds until the process is killed if a cancelled job goes on. */
    graceMs?: number;
    /** Milliseconds of silence over a job until the process counts as hung. */
    silenceMs?: number;
    /** Milliseconds without a job until the process is stopped. */
    idleMs?: number;
  }
}
