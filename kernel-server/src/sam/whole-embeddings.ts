/** The embeddings of whole slices, as SAM's decoder takes them, in each session's shared array `embedding`, which Python maps. */
import { BridgeError } from '../../../src/shared/errors';
import { ArrayDescriptor, SamDevice } from '../../../src/shared/protocol';
import { embeddingShape, IPromptModel } from '../../../src/shared/models';
import { ArrayStore } from '../arrays/array-store';
import { byteLength } from '../arrays/dtypes';
import { TileFile } from '../arrays/tile-file';
import { Session } from '../session/session';

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
  /** @param _manifest the model whose embeddings these are */
  constructor(
    private readonly _store: ArrayStore,
    private readonly _manifest: IPromptModel
  ) {}

  /** A slice's embedding: read from the array, or as it is once it is written. Undefined if no encoder run has brought it. */
  find(session: Session, slice: number): Promise<IWholeEmbedding> | undefined {
    const coming = this._coming.get(session)?.get(keyOf(session.encoderGeneration, slice));
    if (coming?.isWriting) {
      return coming.promise;
    }
    const kept = keptEntry(session, slice);
    return kept && Promise.resolve({ ...kept.entry, embedding: readSlice(kept.array, slice) });
  }

  /** The embedding that the next encoder run over the slice brings; stays pending if no run brings it. */
  next(session: Session, slice: number): Promise<IWholeEmbedding> {
    return this._expect(session, session.encoderGeneration, slice).promise;
  }

  /**
   * Take an embedding from an encoder run: write it to the array, then hand it on.
   *
   * @param generation the session's {@link Session.encoderGeneration} when the run began
   * @throws BridgeError `cancelled` if the image was replaced since.
   */
  take(session: Session, generation: number, slice: number, whole: IWholeEmbedding): Promise<IWholeEmbedding> {
    const coming = this._expect(session, generation, slice);
    if (!coming.isWriting) {
      coming.isWriting = true;
      const written = this._write(session, generation, slice, whole);
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
    { embedding, device, seconds }: IWholeEmbedding
  ): Promise<void> {
    const checkImage = () => {
      if (generation !== session.encoderGeneration) {
        throw new BridgeError('cancelled', 'The image or its region was replaced meanwhile.');
      }
    };
    checkImage();
    if (keptEntry(session, slice)) {
      return; // an earlier run brought the same
    }
    const array = await this._array(session);
    checkImage();
    const file = new TileFile(array, 'r+');
    try {
      const bytes = new Uint8Array(embedding.buffer, embedding.byteOffset, embedding.byteLength);
      file.writeBytes(slice * bytes.length, bytes);
    } finally {
      file.close();
    }
    await session.tookEmbedding(slice, { device, seconds });
  }

  /** The session's array, made once even if two slices are ready at the same time. */
  private _array(session: Session): Promise<ArrayDescriptor> {
    let making = this._making.get(session);
    if (!making) {
      making = this._makeArray(session).finally(() => this._making.delete(session));
      this._making.set(session, making);
    }
    return making;
  }

  private async _makeArray(session: Session): Promise<ArrayDescriptor> {
    const found = session.array('embedding');
    if (found) {
      return found;
    }
    const [slices] = session.record.image.shape;
    const shape = [slices, ...embeddingShape(this._manifest)];
    const sparse = slices > SPARSE_SLICES;
    const array = await this._store.allocate(session.arraysFolder, 'embedding', 'float32', shape, sparse);
    await session.replaceArray('embedding', array);
    return session.array('embedding')!;
  }

  private readonly _coming = new WeakMap<Session, Map<string, IComing>>();
  private readonly _making = new WeakMap<Session, Promise<ArrayDescriptor>>();
}

/** Where a slice's embedding is in the session's array, if it was written. */
function keptEntry(session: Session, slice: number) {
  const entry = session.record.embeddings[slice];
  const array = session.array('embedding');
  return entry && array && { entry, array };
}

function readSlice(array: ArrayDescriptor, slice: number): Float32Array {
  const bytes = byteLength(array) / array.shape[0]!;
  const file = new TileFile(array, 'r');
  try {
    return new Float32Array(file.readBytes(slice * bytes, bytes).buffer);
  } finally {
    file.close();
  }
}

function keyOf(generation: number, slice: number): string {
  return `${generation}/${slice}`;
}
