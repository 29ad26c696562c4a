/** Handlers of SAM: embeddings, the decoder's graph, suggestions. */
import { readFile } from 'node:fs/promises';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { embeddingShape, zDecoderManifest } from '../../../src/shared/models';
import { rectOf } from '../../../src/shared/region';
import { toFloat16 } from '../../../src/sam/float16';
import { unpackLogits } from '../../../src/sam/packed-logits';
import { TileFile } from '../arrays/tile-file';
import { Session } from '../session/session';
import { Handlers, ICall } from '../transport/dispatcher';
import { Peer } from '../transport/peers';
import { IMethodContext } from './context';

/** Most bytes of a mask in a request. */
const LOGITS_MAX = 1 << 20;

export function samHandlers({
  models,
  sessions,
  staging,
  embeddings,
  compute,
  carrier,
  prompts,
  finder
}: IMethodContext) {
  /** Stage an array for a peer; its bytes come in parts, one after the other. */
  const handOver = async (peer: Peer, dtype: 'uint8' | 'uint16', shape: number[], parts: Iterable<Uint8Array>) => {
    const made = await staging.make(peer, dtype, shape);
    const file = new TileFile(made.array, 'r+');
    try {
      let position = 0;
      for (const part of parts) {
        file.writeBytes(position, part);
        position += part.length;
      }
    } finally {
      file.close();
    }
    return made;
  };
  /** What was wrong with files of a session's model that were passed over. */
  const problemOf = async (session: Session) => {
    const { problem } = await models.of(session);
    return problem === null ? {} : { problem };
  };
  return {
    'sam.embed': async ({ session: id, slice }, call) => {
      const session = await sessions.get(id);
      const { device, seconds } = await embeddings.whole(session, slice, call);
      return { result: { device, seconds, array: session.array('embedding')!, ...(await problemOf(session)) } };
    },

    'sam.embed-slices': async ({ session: id, slices, ahead = false }, call) => {
      const session = await sessions.get(id);
      await embeddings.slices(session, slices, ahead, call);
      return { result: ahead ? {} : await problemOf(session) };
    },

    'sam.embedding': async ({ session: id, slice, window, ahead }, { id: request, signal }) => {
      const session = await sessions.get(id);
      session.checkSlice(slice);
      // The page asks for this as soon as it opens. The encoder would take the cores from the tiles that the user waits for.
      await session.pyramid.overview(slice);
      const within = window ?? rectOf(session.record.region, session.record.image.shape);
      const { name } = await embeddings.made(session, slice, window);
      const call = { id: request, signal, urgency: ahead ? ('ahead' as const) : ('now' as const) };
      const { device, seconds, embedding } = await (window
        ? embeddings.window(session, slice, window, call)
        : embeddings.whole(session, slice, call));
      const halves = toFloat16(embedding);
      const shape = embeddingShape((await models.of(session)).manifest);
      const result = { device, seconds, shape, within, embedding: name, ...(await problemOf(session)) };
      return { result, buffers: [new Uint8Array(halves.buffer)] };
    },

    'sam.decode': async ({ session: id, ...params }, { signal }) => {
      const { masks, scores, single, prepared } = await prompts.decode(await sessions.get(id), params, signal);
      return { result: { scores, single, prepared }, buffers: masks ? [masks] : [] };
    },

    'sam.models': async () => ({ result: { models: await models.list() } }),

    'sam.choose': async ({ session: id, model }) => {
      const session = await sessions.get(id);
      await models.open(model, true);
      await session.chooseModel(model);
      return { result: session.state() };
    },

    'sam.contrast': async ({ session: id, contrast }) => {
      const session = await sessions.get(id);
      await session.setContrast(contrast);
      return { result: session.state() };
    },

    'sam.decoder': async ({ session: id, known }) => {
      const sam = await models.of(await sessions.get(id));
      const { digest, bytes, path } = await sam.decoder();
      const result = { manifest: zDecoderManifest.parse(sam.manifest), digest, bytes };
      return known === digest ? { result } : { result, buffers: [await readFile(path)] };
    },

    'sam.suggest': async (params, call) => {
      const session = await sessions.get(params.session);
      const { masks, shape, scores } = await compute.suggest(session, params, call);
      const { staged, array } = await handOver(call.peer, 'uint8', shape, [masks]);
      return { result: { staged, array, scores, ...(await problemOf(session)) } };
    },

    'sam.carry': async (params, call) => {
      const session = await sessions.get(params.session);
      const { masks, shape, first, scores, ends } = await carrier.masks(session, params, call);
      const { staged, array } = await handOver(call.peer, 'uint8', shape, masks);
      return { result: { staged, array, first, scores, ends, ...(await problemOf(session)) } };
    },

    'sam.objects': async ({ session: id, slice, staged: given, connected }, call) => {
      const session = await sessions.get(id);
      session.checkSlice(slice);
      const { objects, shape, ...drawn } = await compute.drawObjects(
        session,
        slice,
        staging.get(call.peer, given),
        connected,
        call
      );
      const { staged, array } = await handOver(call.peer, 'uint16', shape, [new Uint8Array(objects.buffer)]);
      return { result: { staged, array, ...drawn, ...(await problemOf(session)) } };
    },

    'sam.similar': async (params, call) => {
      const session = await sessions.get(params.session);
      const { objects, shape, scores, similarities } = await finder.everywhere(session, params, call);
      const { staged, array } = await handOver(call.peer, 'uint16', shape, objects);
      return { result: { staged, array, scores, similarities, ...(await problemOf(session)) } };
    },

    'sam.similar-window': async (params, call) => {
      const session = await sessions.get(params.session);
      const { windows, found } = await finder.inWindow(session, params, packedLogitsOf(call), call);
      return {
        result: {
          windows,
          objects: found.map(({ point, rect, seen, part: { samples } }) => ({ point, rect, seen, samples }))
        },
        buffers: [...found.map(({ mask }) => mask), ...found.map(({ part }) => part.codes)].map(bytes =>
          deflateRawSync(bytes)
        )
      };
    }
  } satisfies Partial<Handlers>;
}

/** The first buffer of a request as logits that `packLogits` wrote, deflated. */
function packedLogitsOf({ buffers }: Pick<ICall, 'buffers'>): Float32Array {
  try {
    const codes = inflateRawSync(buffers[0] ?? new Uint8Array(), { maxOutputLength: LOGITS_MAX });
    return unpackLogits(codes, Math.max(1, codes.length))[0] ?? new Float32Array();
  } catch (error) {
    throw new BridgeError('invalid', `The buffer of the example is not a deflated mask: ${String(error)}`);
  }
}
