/** SAM's encoder in the SAM process: opens the model with the wanted layers, chooses a GPU or the CPU, and checks a GPU's results. */
import { readFile, stat } from 'node:fs/promises';
import type { InferenceSession } from 'onnxruntime-node';
import { Message } from '../../../src/shared/onnx/wire';
import { BridgeError } from '../../../src/shared/errors';
import type { SamDevice } from '../../../src/shared/protocol';
import { encoderLayer, IPromptModel, OUTPUT_LAYER } from '../../../src/shared/models';
import { type ITensor, withoutNormalisation } from '../../../src/sam';
import { BetweenStages, EncoderStages, StageError } from './encoder-stages';
import { ISamStart } from './messages';
import { checkModelFile, packagedEncoder } from './model-files';
import {
  IPlacedSession,
  ModelSource,
  openOnCpu,
  openStage,
  placeSession,
  relativeDifference,
  Runtime,
  firstLine
} from './providers';

/** A GPU is not used if its first result differs from the CPU's by more than this fraction of the largest value. */
const GPU_TOLERANCE = 0.02;

/** What to do about a damaged installation. */
export const REINSTALL = 'Install SambaLab again, or set SAMBALAB_MODELS to a folder with the right files.';

/** Larger files are not read into memory, so that they are not cut. */
const STAGED_BYTES_MAX = 2 ** 31 - 1;

export type Progress = (stage: string, done: number, total: number, message?: string) => void;

/** Layers by their names: float32 [channels, rows, columns] each. */
export type Layers = Map<string, Float32Array>;

export class Encoder {
  constructor(
    private readonly _start: ISamStart,
    private readonly _runtime: () => Runtime,
    /** Called when it is known where the encoder runs. */
    private readonly _placed: (device: SamDevice) => void
  ) {}

  /** Where the encoder runs. It must be open. */
  get device(): SamDevice {
    return this._session!.device;
  }

  /** Load the model, unless it is open with these layers. Outputs cost memory and fusions, so layers are added only when they are wanted. */
  async open(layers: readonly string[], progress: Progress): Promise<void> {
    const missing = layers.filter(layer => !this._layers.has(layer));
    if (this._session && missing.length === 0) {
      return;
    }
    progress('loading the model', 0, 1);
    const { manifest, encoder, provider, note } = this._start;
    const { path, file } =
      'builtIn' in encoder
        ? { path: encoder.path ?? packagedEncoder(encoder.builtIn, __dirname), file: encoder.builtIn.encoder.file }
        : encoder;
    await checkModelFile(path, file, 'builtIn' in encoder ? REINSTALL : verifyAgain(manifest));
    const all = new Set([...this._layers, ...missing]);
    const more = [...all].filter(layer => layer !== OUTPUT_LAYER);
    const source: ModelSource = more.length > 0 ? withOutputs(await readFile(path), manifest, more) : path;
    // An encoder that is on the CPU stays there.
    const settled = this._session?.device;
    const placed =
      settled?.provider === 'cpu'
        ? { session: await this._openOnCpu(source), device: settled }
        : await placeSession(
            this._runtime(),
            { id: manifest.id, source, onCpu: () => this._openOnCpu(source) },
            provider,
            note
          );
    await this._session?.session.release();
    this._session = placed;
    this._source = source;
    this._layers = all;
    this._gpuChecked = false;
    this._placed(placed.device);
  }

  /** The embedding for prompts, and the further features that the decoder takes, one after the other; see {@link encode}. */
  async encodeForPrompts(pixels: Float32Array, progress: Progress, between: BetweenStages): Promise<Float32Array> {
    const { features = [] } = this._start.manifest.decoder;
    const names = [OUTPUT_LAYER, ...features.map(({ tensor }) => tensor)];
    const tensors = await this.encode(pixels, names, progress, between);
    if (features.length === 0) {
      return tensors.get(OUTPUT_LAYER)!;
    }
    const parts = names.map(name => tensors.get(name)!);
    const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  /**
   * Run the encoder on its input, float32 [1, 3, side, side]; a GPU's first result is compared with the CPU's.
   *
   * @param layers names of layers, or tensors of the decoder's further features
   * @param between called between the stages of a run on the CPU; other runs may take place meanwhile
   */
  async encode(
    pixels: Float32Array,
    layers: readonly string[],
    progress: Progress,
    between: BetweenStages
  ): Promise<Layers> {
    const { manifest, encoder } = this._start;
    const { size } = manifest.encoder;
    const placed = this._session!;
    const { Tensor } = this._runtime();
    const tensor =
      'layout' in encoder && encoder.layout === 'HWC'
        ? new Tensor('float32', withoutNormalisation(pixels, manifest), [size, size, 3])
        : new Tensor('float32', pixels, [1, 3, size, size]);
    if (placed.device.provider === 'cpu') {
      return this._run(placed.session, tensor, layers, between);
    }
    let found: Layers;
    try {
      found = await this._run(placed.session, tensor, layers, between);
    } catch (error) {
      if (error instanceof BridgeError) {
        throw error;
      }
      // Out of memory, or the device is lost.
      await this._leaveGpu(await this._openOnCpu(this._source!), `fails: ${firstLine(error)}`);
      return this._run(this._session!.session, tensor, layers, between);
    }
    if (this._gpuChecked) {
      return found;
    }
    progress('checking the GPU against the CPU', 0, 1);
    const session = await openOnCpu(this._runtime(), this._source!);
    const expected = await this._run(session, tensor, layers);
    const difference = Math.max(...layers.map(layer => relativeDifference(found.get(layer)!, expected.get(layer)!)));
    if (difference <= GPU_TOLERANCE) {
      this._gpuChecked = true;
      await session.release();
      return found;
    }
    await this._leaveGpu(session, `differs from the CPU by ${(100 * difference).toFixed(1)} %`);
    return expected;
  }

  /**
   * Go on in a session on the CPU.
   *
   * @param why what the GPU does wrong, as the end of a sentence
   * @throws BridgeError `compute` if the user chose the GPU
   */
  private async _leaveGpu(session: IPlacedSession['session'], why: string): Promise<void> {
    const placed = this._session!;
    const { provider, adapter, note } = placed.device;
    const what = `${provider}${adapter ? ` on ${adapter}` : ''} ${why}`;
    if (this._start.provider !== 'auto') {
      await session.release();
      throw new BridgeError('compute', `SAMBALAB_PROVIDER=${provider}, but ${what}. Leave it unset to use the CPU.`);
    }
    this._session = {
      session,
      device: { ...placed.device, provider: 'cpu', adapter: null, note: [note, what].filter(Boolean).join('; ') }
    };
    this._placed(this._session.device);
    await placed.session.release().catch(() => undefined); // a lost device may not even be released
  }

  /** The encoder on the CPU: in stages, if its graph can be cut. */
  private async _openOnCpu(source: ModelSource): Promise<IPlacedSession['session']> {
    const runtime = this._runtime();
    if (this._isWhole || (typeof source === 'string' && (await stat(source)).size > STAGED_BYTES_MAX)) {
      return openOnCpu(runtime, source);
    }
    const model = typeof source === 'string' ? await readFile(source) : source;
    let stages: EncoderStages | undefined;
    try {
      stages = EncoderStages.of(model, part => openStage(runtime, part), this._start.manifest.encoder.stages);
    } catch {
      // The runtime says what is wrong with the file.
    }
    return stages ?? openOnCpu(runtime, source);
  }

  private async _run(
    session: IPlacedSession['session'],
    tensor: ITensor,
    layers: readonly string[],
    between?: BetweenStages
  ): Promise<Layers> {
    const { manifest } = this._start;
    const wanted = layers.map(layer => ({ layer, ...tensorOf(manifest, layer) }));
    const fetches = wanted.map(each => each.tensor);
    const feeds = { [manifest.encoder.input]: tensor as never };
    const results = await (session instanceof EncoderStages
      ? this._runStages(session, feeds, fetches, between)
      : session.run(feeds, fetches));
    return new Map(
      wanted.map(({ layer, tensor: name, shape }) => {
        const result = results[name];
        if (!(result?.data instanceof Float32Array) || result.dims.join() !== shape.join()) {
          throw new BridgeError(
            'model',
            `The encoder's ${name} is ${result?.type} [${result?.dims.join(', ')}]; it must be float32 [${shape.join(', ')}].`
          );
        }
        return [layer, result.data];
      })
    );
  }

  private async _runStages(
    stages: EncoderStages,
    feeds: Parameters<EncoderStages['run']>[0],
    fetches: readonly string[],
    between?: BetweenStages
  ): Promise<InferenceSession.ReturnType> {
    try {
      return await stages.run(feeds, fetches, between);
    } catch (error) {
      if (!(error instanceof StageError)) {
        throw error;
      }
    }
    this._isWhole = true;
    const session = await openOnCpu(this._runtime(), this._source!);
    if (this._session?.session === stages) {
      this._session = { ...this._session, session };
      await stages.release();
    }
    return session.run(feeds, [...fetches]);
  }

  private _session: IPlacedSession | undefined;
  private _source: ModelSource | undefined;
  private _layers = new Set<string>([OUTPUT_LAYER]);
  private _gpuChecked = false;
  /** Its graph cannot be opened in stages. */
  private _isWhole = false;
}

/** What to do about a user's model file that changed since it was checked. */
export function verifyAgain({ id }: IPromptModel): string {
  return `\`sambalab models verify ${id}\` checks it; another model can be chosen.`;
}

/** The tensor of a layer, or of a further feature, and its shape. */
function tensorOf(manifest: IPromptModel, name: string): { tensor: string; shape: readonly number[] } {
  const layer = encoderLayer(manifest, name);
  return layer
    ? { tensor: layer.tensor, shape: [1, ...layer.shape] }
    : manifest.decoder.features!.find(({ tensor }) => tensor === name)!;
}

/**
 * An encoder's file with some of its tensors as further outputs. A second field `graph` that holds only these outputs is appended to the file:
 * protobuf merges the parts of a message (https://protobuf.dev/programming-guides/encoding/#last-one-wins).
 */
export function withOutputs(model: Uint8Array, manifest: IPromptModel, layers: readonly string[]): Uint8Array {
  const graph = new Message();
  for (const layer of layers) {
    graph.message(12, new Message().text(1, encoderLayer(manifest, layer)!.tensor));
  }
  const more = new Message().message(7, graph).toBytes();
  const out = new Uint8Array(model.length + more.length);
  out.set(model);
  out.set(more, model.length);
  return out;
}
