/**
 * The web worker in which SAM's decoder runs: on our own kernels if they take the model's file, else its graph on onnxruntime's WebAssembly with
 * SIMD. The kernels share a decode with further workers (`shared-decoder.ts`). The graph has one thread: more need a page
 * that is isolated from other origins, which Jupyter's pages are not. They would not start there either: the runtime starts them from its own script,
 * which is part of a bundle here.
 */
import { env, InferenceSession, Tensor } from 'onnxruntime-web/wasm';
import { asHalves, fromFloat16, ICandidates, IPreparedEmbedding, ISize, SamDecoder } from '../../sam';
import { Lru } from '../../shared/lru';
import type { DecoderManifest } from '../../shared/models';
import { EMBEDDINGS_PREPARED, ToDecoderWorker } from './decoder-messages';
import { createPartWorker } from './part-worker-factory';
import { IPartWorker, ISharedEmbedding, partsFor, SharedDecoder } from './shared-decoder';
import { answerMessages, judged } from './worker-answers';

/** A slice's embedding, and what the decoders made of it. */
interface ISlice {
  embedding: Float32Array;
  size: ISize;
  forKernels?: ISharedEmbedding;
  forGraph?: IPreparedEmbedding;
}

// The bundler emits the WebAssembly as files and fills in their addresses, which depend on the server's base URL.
env.wasm.wasmPaths = { wasm: new URL('onnxruntime-web/ort-wasm-simd-threaded.wasm', import.meta.url).href };
env.wasm.numThreads = 1;
const kernelAddresses = {
  relaxed: new URL('./decoder-relaxed.wasm', import.meta.url).href,
  plain: new URL('./decoder.wasm', import.meta.url).href
};

let kernels: SharedDecoder | undefined;
/** Of the decoder that was loaded. */
let manifest: DecoderManifest | undefined;
/** The graph's decoder. Where there are kernels it is opened when it is first needed. */
let openGraph: () => Promise<SamDecoder> = () => Promise.reject(new Error('The decoder is not loaded.'));
/** 4 MB each, and up to 27 MB more for those that the kernels have prepared. */
const slices = new Lru<string, ISlice>({ limit: EMBEDDINGS_PREPARED });

async function load(graph: Uint8Array, loaded: DecoderManifest, useKernels: boolean): Promise<void> {
  slices.clear();
  manifest = loaded;
  let opening: Promise<SamDecoder> | undefined;
  openGraph = () =>
    (opening ??= InferenceSession.create(graph, { executionProviders: ['wasm'] }).then(
      session =>
        new SamDecoder({
          manifest: loaded,
          session: session as never,
          tensor: (data, dims) =>
            data instanceof Float32Array ? new Tensor('float32', data, dims) : new Tensor('int64', data, dims)
        })
    ));
  kernels?.stop();
  kernels = undefined;
  if (useKernels && loaded.decoder.kernels) {
    try {
      const parts = partsFor(navigator.hardwareConcurrency || 1);
      kernels = await SharedDecoder.start(
        await loadKernels(),
        graph,
        manifest,
        parts,
        createPartWorker as () => IPartWorker
      );
    } catch (error) {
      // Another model, or a file that only the runtime understands or can refuse with a reason.
      console.debug('SambaLab: the decoder runs as a graph.', error);
    }
  }
  if (!kernels) {
    await openGraph();
  }
}

/** The kernels' file for this browser. */
async function loadKernels(): Promise<ArrayBuffer> {
  const { relaxed, plain } = kernelAddresses;
  const bytes = await read(relaxed);
  return WebAssembly.validate(bytes) ? bytes : read(plain);
}

async function read(address: string): Promise<ArrayBuffer> {
  const response = await fetch(address);
  if (!response.ok) {
    throw new Error(`${address} answered ${response.status}.`);
  }
  return response.arrayBuffer();
}

async function handle(message: ToDecoderWorker): Promise<ICandidates | undefined> {
  if (message.kind === 'load') {
    await load(message.graph, message.manifest, message.kernels);
    return undefined;
  }
  if (message.kind === 'embedding') {
    const slice: ISlice = { embedding: fromFloat16(asHalves(message.halves)), size: message.size };
    slices.set(message.key, slice);
    if (kernels) {
      slice.forKernels = kernels.prepare(message.key, slice.embedding, [...slices.keys()]);
    }
    return undefined;
  }
  const slice = slices.get(message.key);
  if (!slice) {
    throw new Error(`There is no embedding ${message.key}.`);
  }
  if (kernels?.takes(message.prompts)) {
    slice.forKernels ??= kernels.prepare(message.key, slice.embedding, [...slices.keys()]);
    const candidates = await kernels.decode(slice.forKernels, slice.size, message.prompts);
    return judged(candidates, slice.size, message.prompts, manifest!);
  }
  const decoder = await openGraph();
  slice.forGraph ??= decoder.prepare(slice.embedding);
  return judged(
    await decoder.decode(slice.forGraph, slice.size, message.prompts),
    slice.size,
    message.prompts,
    manifest!
  );
}

answerMessages(handle);
