/** SAM's decoder for pages: in a thread on our own kernels where they take the model and the prompts, else in the SAM process as a graph. */
import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import { encodePrompts, ICandidates, IPrompts, packLogits } from '../../../src/sam';
import { BridgeError } from '../../../src/shared/errors';
import type { Params } from '../../../src/shared/protocol';
import { zDecoderManifest } from '../../../src/shared/models';
import type { IPromptServices } from '../jobs/services';
import { Session } from '../session/session';
import type { IPackedAnswer } from './decoder-tasks';
import type { DecoderThreads } from './decoder-thread';
import type { IMadeEmbedding, SliceEmbeddings } from './slice-embeddings';

const deflate = promisify(deflateRaw);

export class PromptDecoder {
  constructor(private readonly _options: PromptDecoder.IOptions) {}

  /**
   * Decode prompts on an embedding that was made before.
   *
   * @throws BridgeError `invalid` for prompts that the model does not take or a window that SAM does not see; `not-ready` if the embedding is not here;
   * `compute` if the thread or the process died; `cancelled`.
   */
  async decode(
    session: Session,
    { slice, window, embedding, points, box }: Omit<Params<'sam.decode'>, 'session'>,
    signal: AbortSignal
  ): Promise<IPackedAnswer> {
    const { models, embeddings, threads } = this._options;
    const sam = await models.of(session);
    const made = await embeddings.made(session, slice, window);
    if (made.name !== embedding) {
      throw new BridgeError(
        'not-ready',
        `The embedding ${embedding.slice(0, 12)}… is not that of slice ${slice}: the image, its region, its contrast or the model is another one since. ` +
          'Ask for it again (sam.embedding).'
      );
    }
    const prompts: IPrompts | null = points.length > 0 || box ? { points, box } : null;
    if (prompts) {
      try {
        encodePrompts(prompts, made.size, sam.manifest);
      } catch (error) {
        throw new BridgeError('invalid', (error as Error).message);
      }
    }
    const { digest, path } = await sam.decoder();
    const thread = threads.of(digest, path, zDecoderManifest.parse(sam.manifest));
    if (thread) {
      const task = { key: made.name, size: made.size, prompts };
      let reply = await thread.run(task, signal);
      if (reply.kind === 'missing') {
        reply = await thread.run({ ...task, embedding: await read(made, slice) }, signal);
      }
      if (reply.kind === 'done') {
        return reply;
      }
    }
    const values = await read(made, slice);
    if (!prompts) {
      return { scores: [], single: null, prepared: true };
    }
    return packed(await sam.decode(values, made.size, prompts, { signal, progress: () => undefined }));
  }
}

async function read(made: IMadeEmbedding, slice: number): Promise<Float32Array> {
  const embedding = await made.read();
  if (!embedding) {
    throw new BridgeError(
      'not-ready',
      `The embedding of slice ${slice} is not here; ask for it first (sam.embedding). Those of windows stay on disk only where SAMBALAB_EMBEDDINGS_BYTES lets them.`
    );
  }
  return embedding;
}

async function packed({ lowRes, scores, single }: ICandidates): Promise<IPackedAnswer> {
  const codes = packLogits(single ? [...lowRes, single.lowRes] : lowRes);
  return { masks: await deflate(codes, { level: 1 }), scores, single: single && single.score, prepared: true };
}

/** The namespace for {@link PromptDecoder}. */
export namespace PromptDecoder {
  export interface IOptions {
    models: IPromptServices;
    embeddings: SliceEmbeddings;
    threads: DecoderThreads;
  }
}
