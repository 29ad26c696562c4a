/**
 * The web worker in which SAM's decoder runs on the browser's GPU: its graph, on onnxruntime's WebGPU. In a worker of its own, since the runtime for it is a
 * large file, and since a driver may hang; `gpu-route.ts` starts it, and compares its masks with those of WebAssembly before any is shown.
 */
import { env, InferenceSession, Tensor } from 'onnxruntime-web/webgpu';
import { asHalves, fromFloat16, ICandidates, IPreparedEmbedding, ISize, SamDecoder } from '../../sam';
import { Lru } from '../../shared/lru';
import type { DecoderManifest } from '../../shared/models';
import { EMBEDDINGS_PREPARED, ToDecoderWorker } from './decoder-messages';
import { answerMessages, judged } from './worker-answers';

interface ISlice {
  prepared: IPreparedEmbedding;
  size: ISize;
}

// The bundler emits the WebAssembly as a file and fills in its address, which depends on the server's base URL.
env.wasm.wasmPaths = { wasm: new URL('onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm', import.meta.url).href };
env.wasm.numThreads = 1;
env.webgpu.powerPreference = 'high-performance';

let decoder: SamDecoder | undefined;
let manifest: DecoderManifest | undefined;
/** 4 MB each. */
const slices = new Lru<string, ISlice>({ limit: EMBEDDINGS_PREPARED });

answerMessages(async (message: ToDecoderWorker): Promise<ICandidates | undefined> => {
  if (message.kind === 'load') {
    manifest = message.manifest;
    const session = await InferenceSession.create(message.graph, { executionProviders: ['webgpu'] });
    decoder = new SamDecoder({
      manifest,
      session: session as never,
      tensor: (data, dims) =>
        data instanceof Float32Array ? new Tensor('float32', data, dims) : new Tensor('int64', data, dims)
    });
    return undefined;
  }
  if (!decoder || !manifest) {
    throw new Error('The decoder is not loaded.');
  }
  if (message.kind === 'embedding') {
    const { key, halves, size } = message;
    slices.set(key, { prepared: decoder.prepare(fromFloat16(asHalves(halves))), size });
    return undefined;
  }
  const slice = slices.get(message.key);
  if (!slice) {
    throw new Error(`There is no embedding ${message.key}.`);
  }
  return judged(
    await decoder.decode(slice.prepared, slice.size, message.prompts),
    slice.size,
    message.prompts,
    manifest
  );
});
