/** The embeddings of whole slices, as SAM's decoder takes them, in each session's shared array `embedding`, which Python maps. */
import { BridgeError } from '../../../src/shared/errors';
import { ArrayDescriptor, SamDevice } from '../../../src/shared/protocol';
import { embeddingLength, embeddingShape, IPromptModel, promptLength } from '../../../src/shared/models';
import { ArrayStore } from '../arrays/array-store';
import { byteLength } from '../arrays/dtypes';
import { TileFile } from '../arrays/tile-file';
import { DerivedArray, Session } from '../session/session';

/** From this number of slices on, the array's blocks are reserved as they are filled. */
const SPARSE_SLICES = 16;

/** The embedding of a whole slice, and how it was computed. */
export interface IWholeEmbedding {
  embedding: Float32Array;
  device: SamDevice;
  seconds: number;
}

/** An embedding that an encoder run will bring, or that is being written. */
interface IComing {
  promise: Promise<IWholeEmbedding>;
  resolve(whole: Promise<IWholeEmbedding>): void;
  /** Whether it is here and being written. */
  isWriting: boolean;
}

export class WholeEmbeddings {
  constructor(private readonly _store: ArrayStore) {}

  /** A slice's embedding: read from the array, or as it is once it is written. Undefined if no encoder run has brought it. */
  find(session: Session, slice: number, manifest: IPromptModel): Promise<IWholeEmbedding> | undefined {
    const coming = this._coming.get(session)?.get(keyOf(session.promptGeneration, slice));
    if (coming?.isWriting) {
      return coming.promise;
    }
    const kept = keptEntry(session, slice, manifest);
    return kept && Promise.resolve({ ...kept.entry, embedding: readSlice(kept.arrays, slice) });
  }

  /** The embedding that the next encoder run over the slice brings; stays pending if no run brings it. */
  next(session: Session, slice: number): Promise<IWholeEmbedding> {
    return this._expect(session, session.promptGeneration, slice).promise;
  }

  /**
   * Take an embedding from an encoder run: write it to the array, then hand it on.
   *
   * @param generation the session's {@link Session.promptGeneration} when the run began
   * @param manifest the model whose embedding it is
   * @throws BridgeError `cancelled` if the image was replaced since.
   */
  take(
    session: Session,
    generation: number,
    slice: number,
    whole: IWholeEmbedding,
    manifest: IPromptModel
  ): Promise<IWholeEmbedding> {
    const coming = this._expect(session, generation, slice);
    if (!coming.isWriting) {
      coming.isWriting = true;
      const written = this._write(session, generation, slice, whole, manifest);
      const done = () => this._coming.get(session)?.delete(keyOf(generation, slice));
      coming.resolve(written.finally(done).then(() => whole));
    }
    return coming.promise;
  }

  private _expect(session: Session, generation: number, slice: number): IComing {
    const key = keyOf(generation, slice);
    let ofSession = this._coming.get(session);
    if (!ofSession) {
      ofSession = new Map();
      this._coming.set(session, ofSession);
    }
    let coming = ofSession.get(key);
    if (!coming) {
      let resolve!: IComing['resolve'];
      const promise = new Promise<IWholeEmbedding>(settle => (resolve = settle));
      coming = { promise, resolve, isWriting: false };
      ofSession.set(key, coming);
    }
    return coming;
  }

  private async _write(
    session: Session,
    generation: number,
    slice: number,
    { embedding, device, seconds }: IWholeEmbedding,
    manifest: IPromptModel
  ): Promise<void> {
    const checkImage = () => {
      if (generation !== session.promptGeneration) {
        throw new BridgeError('cancelled', 'The image, its region or the model was replaced meanwhile.');
      }
    };
    checkImage();
    if (keptEntry(session, slice, manifest)) {
      return; // an earlier run brought the same
    }
    const arrays = await this._arrays(session, manifest);
    checkImage();
    let at = 0;
    for (const array of arrays) {
      const length = byteLength(array) / array.shape[0]! / Float32Array.BYTES_PER_ELEMENT;
      const part = embedding.subarray(at, at + length);
      const file = new TileFile(array, 'r+');
      try {
        const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
        file.writeBytes(slice * bytes.length, bytes);
      } finally {
        file.close();
      }
      at += length;
    }
    await session.tookEmbedding(slice, { device, seconds });
  }

  /** The session's arrays, made once even if two slices are ready at the same time. */
  private _arrays(session: Session, manifest: IPromptModel): Promise<ArrayDescriptor[]> {
    let making = this._making.get(session);
    if (!making) {
      making = this._makeArrays(session, manifest).finally(() => this._making.delete(session));
      this._making.set(session, making);
    }
    return making;
  }

  /** The embedding, and in an array of its own what the decoder takes beside it. */
  private async _makeArrays(session: Session, manifest: IPromptModel): Promise<ArrayDescriptor[]> {
    const [slices] = session.record.image.shape;
    const further = promptLength(manifest) - embeddingLength(manifest);
    const shapes = { embedding: embeddingShape(manifest), ...(further > 0 && { embeddingFeatures: [further] }) };
    const arrays: ArrayDescriptor[] = [];
    for (const [name, shape] of Object.entries(shapes) as [keyof typeof shapes & DerivedArray, number[]][]) {
      const found = session.array(name);
      if (!found) {
        const sparse = slices > SPARSE_SLICES;
        const array = await this._store.allocate(session.arraysFolder, name, 'float32', [slices, ...shape], sparse);
        await session.replaceArray(name, array);
      }
      arrays.push(session.array(name)!);
    }
    return arrays;
  }

  private readonly _coming = new WeakMap<Session, Map<string, IComing>>();
  private readonly _making = new WeakMap<Session, Promise<ArrayDescriptor[]>>();
}

/** Where the embedding of a slice is in the session's arrays, if it was written. */
function keptEntry(session: Session, slice: number, manifest: IPromptModel) {
  const entry = session.record.embeddings[slice];
  const names = ['embedding', ...(promptLength(manifest) > embeddingLength(manifest) ? ['embeddingFeatures'] : [])];
  const arrays = names.flatMap(name => session.array(name) ?? []);
  return entry && arrays.length === names.length ? { entry, arrays } : undefined;
}

function readSlice(arrays: ArrayDescriptor[], slice: number): Float32Array {
  const parts = arrays.map(array => {
    const bytes = byteLength(array) / array.shape[0]!;
    const file = new TileFile(array, 'r');
    try {
      return file.readBytes(slice * bytes, bytes);
    } finally {
      file.close();
    }
  });
  return new Float32Array(parts.length === 1 ? parts[0]!.buffer : joined(parts).buffer);
}

function joined(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function keyOf(generation: number, slice: number): string {
  return `${generation}/${slice}`;
}
