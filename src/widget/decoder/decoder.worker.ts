/**
 * The web worker in which SAM's decoder runs, on onnxruntime's WebAssembly with SIMD, on one thread. More threads need a page that is isolated
 * from other origins, which Jupyter's pages are not. They would not start there either: the runtime starts them from its own script, which is
 * part of a bundle here.
 */
import { env, InferenceSession, Tensor } from 'onnxruntime-web/wasm';
import { asHalves, fromFloat16, ICandidates, IPreparedEmbedding, ISize, SamDecoder } from '../../sam';
import { Lru } from '../../shared/lru';
import { EMBEDDINGS_KEPT, FromDecoderWorker, ToDecoderWorker } from './decoder-messages';

/** The part of a worker's global scope that is used here; TypeScript's types for it clash with the page's. */
interface IWorkerScope {
  postMessage(message: FromDecoderWorker, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToDecoderWorker>) => void) | null;
}

const scope = self as unknown as IWorkerScope;

// The bundler emits the WebAssembly as a file and fills in its address, which depends on the server's base URL.
env.wasm.wasmPaths = { wasm: new URL('onnxruntime-web/ort-wasm-simd-threaded.wasm', import.meta.url).href };
env.wasm.numThreads = 1;

let decoder: SamDecoder | undefined;
/** Embeddings of slices, 4 MB each. */
const embeddings = new Lru<string, { prepared: IPreparedEmbedding; size: ISize }>({ limit: EMBEDDINGS_KEPT });

async function handle(message: ToDecoderWorker): Promise<ICandidates | undefined> {
  if (message.kind === 'load') {
    const session = await InferenceSession.create(message.graph, { executionProviders: ['wasm'] });
    decoder = new SamDecoder({
      manifest: message.manifest,
      session: session as never,
      tensor: (data, dims) => new Tensor('float32', data, dims)
    });
    embeddings.clear();
    return undefined;
  }
  if (!decoder) {
    throw new Error('The decoder is not loaded.');
  }
  if (message.kind === 'embedding') {
    const prepared = decoder.prepare(fromFloat16(asHalves(message.halves)));
    embeddings.set(message.key, { prepared, size: message.size });
    return undefined;
  }
  const entry = embeddings.get(message.key);
  if (!entry) {
    throw new Error(`There is no embedding ${message.key}.`);
  }
  return decoder.decode(entry.prepared, entry.size, message.prompts);
}

// One at a time: the runtime is not re-entrant.
let last: Promise<void> = Promise.resolve();

async function work(message: ToDecoderWorker): Promise<void> {
  try {
    const candidates = await handle(message);
    if (candidates) {
      const { lowRes, single } = candidates;
      const transfer = [...lowRes, ...(single ? [single.lowRes] : [])].map(logits => logits.buffer as ArrayBuffer);
      scope.postMessage({ kind: 'done', id: message.id, candidates }, transfer);
    } else {
      scope.postMessage({ kind: 'done', id: message.id });
    }
  } catch (error) {
    scope.postMessage({
      kind: 'error',
      id: message.id,
      message: error instanceof Error ? error.message : String(error)
    });
  }
}

scope.onmessage = ({ data }) => {
  last = last.then(() => work(data));
};
