/** The thread that runs SAM's decoder on our own kernels for pages: one embedding and one prompt at a time, so that the sidecar's own thread stays free. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { deflateRawSync } from 'node:zlib';
import { IWasmEmbedding, packLogits, WasmDecoder } from '../../../src/sam';
import { BridgeError } from '../../../src/shared/errors';
import { Lru } from '../../../src/shared/lru';
import type { DecodeReply, IDecodeTask, IDecoderModel } from './decoder-tasks';

/** Embeddings that are kept, those used last: 4 MB each, and 27 MB more for three of them. */
const EMBEDDINGS = 4;

const { path, manifest, kernels } = workerData as IDecoderModel;
const prepared = new Lru<string, IWasmEmbedding>({ limit: EMBEDDINGS });
let opened: { decoder: WasmDecoder | null } | undefined;

/** The decoder; null if the kernels do not understand the model's file. */
function open(): WasmDecoder | null {
  if (!opened) {
    const relaxed = readFileSync(kernels.relaxed);
    if (!WebAssembly.validate(relaxed)) {
      // Node 20 has relaxed SIMD behind this flag, which no other module of the sidecar makes use of. A quarter of a decode's time.
      setFlagsFromString('--experimental-wasm-relaxed-simd');
    }
    const bytes = WebAssembly.validate(relaxed) ? relaxed : readFileSync(kernels.plain);
    const model = readFileSync(path);
    try {
      opened = { decoder: new WasmDecoder(bytes, model, manifest) };
    } catch {
      opened = { decoder: null };
    }
  }
  return opened.decoder;
}

function work({ id, key, size, prompts, embedding }: IDecodeTask): DecodeReply {
  const wasOpen = opened !== undefined;
  const decoder = open();
  if (!decoder || (prompts && !decoder.takes(prompts))) {
    return { kind: 'refused', id };
  }
  const known = prepared.get(key);
  if (!known && !embedding) {
    return { kind: 'missing', id };
  }
  const image = known ?? decoder.prepare(embedding!);
  if (!known) {
    prepared.set(key, image);
  }
  const about = { kind: 'done' as const, id, prepared: wasOpen && known !== undefined };
  if (!prompts) {
    return { ...about, scores: [], single: null };
  }
  const { lowRes, scores, single } = decoder.decode(image, size, prompts);
  const codes = packLogits(single ? [...lowRes, single.lowRes] : lowRes);
  const masks = new Uint8Array(deflateRawSync(codes, { level: 1 }));
  return { ...about, masks, scores, single: single && single.score };
}

parentPort!.on('message', (task: IDecodeTask) => {
  let reply: DecodeReply;
  try {
    reply = work(task);
  } catch (error) {
    const { message } = error as Error;
    const code = error instanceof RangeError ? 'invalid' : BridgeError.from(error).code;
    reply = { kind: 'error', id: task.id, code, message };
  }
  const transfer = reply.kind === 'done' && reply.masks ? [reply.masks.buffer as ArrayBuffer] : [];
  parentPort!.postMessage(reply, transfer);
});
