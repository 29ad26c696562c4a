/**
 * Results of the encoder on disk, so that nothing is encoded twice: not after a restart, nor for another session of the same image. A result is
 * found by a key that names everything it depends on: the image's content, the rows and columns, their contrast, and the model.
 *
 * Each file has a line of JSON (the key, the lengths, and the digest of the numbers), then the numbers. It is checked when it is read; a damaged
 * file is removed, and the caller makes the result again. The files that were used last stay, up to a number of bytes together.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fromFloat16 } from '../../../src/sam/float16';
import { isMissing, makeDirectory, writeAtomically } from '../base/files';
import { log } from '../base/log';

/** Bytes of all files together, unless SAMBALAB_EMBEDDINGS_BYTES says otherwise. */
const BYTES_MAX = 4 * 2 ** 30;

/** The most bytes of a file's first line. */
const HEAD_MAX = 1 << 16;

const ENDING = '.embedding';

const zHead = z.object({
  format: z.literal(1),
  key: z.string(),
  /** What the caller kept beside the numbers. */
  about: z.unknown(),
  /** Numbers in each array. */
  lengths: z.array(z.number().int().nonnegative()),
  half: z.boolean(),
  sha256: z.string()
});

/** A result: arrays of numbers, and what the caller keeps beside them, as JSON. */
export interface IEncoderResult {
  arrays: Float32Array[];
  about: unknown;
}

export class EncoderResults {
  constructor(options: EncoderResults.IOptions) {
    this._directory = options.directory;
    this._bytesMax = options.bytesMax ?? BYTES_MAX;
  }

  /** The result of a key; undefined if there is none, or its file is damaged. */
  async read(key: string): Promise<IEncoderResult | undefined> {
    const path = this._pathOf(key);
    let bytes: Buffer;
    try {
      bytes = await readFile(path);
    } catch (error) {
      if (!isMissing(error)) {
        log(`${path} cannot be read; it is made again`, error);
      }
      return undefined;
    }
    try {
      const result = decode(key, bytes);
      const now = new Date();
      utimes(path, now, now).catch(() => undefined); // it was used last
      return result;
    } catch (error) {
      log(`${path} is damaged; it is made again`, error);
      await rm(path, { force: true }).catch(() => undefined);
      return undefined;
    }
  }

  /** Keep a result; arrays of whole numbers are float16. A failure is only logged. */
  write(key: string, result: { arrays: (Float32Array | Uint16Array)[]; about: unknown }): Promise<void> {
    this._last = this._last.then(async () => {
      if (this._bytesMax <= 0 || this._isFull) {
        return;
      }
      const path = this._pathOf(key);
      try {
        await makeDirectory(this._directory);
        const bytes = encode(key, result.arrays, result.about);
        await this._makeRoom(bytes.length);
        await writeAtomically(path, bytes);
      } catch (error) {
        this._isFull = true; // not tried again in this run
        log(`${path} cannot be written; embeddings are not kept on disk`, error);
      }
    });
    return this._last;
  }

  /** Remove the files that were used least recently, so that one of so many bytes fits. */
  private async _makeRoom(bytes: number): Promise<void> {
    const names = (await readdir(this._directory)).filter(name => name.endsWith(ENDING));
    const found = await Promise.all(
      names.map(async name => {
        const path = join(this._directory, name);
        const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 })); // a damaged one, removed meanwhile
        return { path, size, mtimeMs };
      })
    );
    let sum = bytes + found.reduce((total, { size }) => total + size, 0);
    for (const { path, size } of found.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (sum <= this._bytesMax) {
        return;
      }
      await rm(path, { force: true });
      sum -= size;
    }
  }

  private _pathOf(key: string): string {
    return join(this._directory, createHash('sha256').update(key).digest('hex').slice(0, 40) + ENDING);
  }

  private readonly _directory: string;
  private readonly _bytesMax: number;
  private _last: Promise<void> = Promise.resolve();
  private _isFull = false;
}

/** The namespace for {@link EncoderResults}. */
export namespace EncoderResults {
  export interface IOptions {
    /** Where the files are; made when it is first needed. */
    directory: string;
    /** Bytes of all files together; 0 keeps none. */
    bytesMax?: number | undefined;
  }

  /** The most bytes, as the environment says; undefined if it does not. Throws Error for a value that is no number of bytes. */
  export function bytesOf(value: string | undefined): number | undefined {
    if (!value) {
      return undefined;
    }
    if (!/^\d+$/.test(value)) {
      throw new Error(`SAMBALAB_EMBEDDINGS_BYTES is ${value}; a whole number of bytes will do, 0 to keep none.`);
    }
    return Number(value);
  }
}

function encode(key: string, arrays: (Float32Array | Uint16Array)[], about: unknown): Uint8Array {
  // Copied: hashes do not take memory that threads share.
  const bodies = arrays.map(array => new Uint8Array(array.slice().buffer));
  const half = arrays.some(array => array instanceof Uint16Array);
  const lengths = arrays.map(({ length }) => length);
  const body = Buffer.concat(bodies);
  const sha256 = createHash('sha256').update(body).digest('hex');
  const head: z.infer<typeof zHead> = { format: 1, key, about, lengths, half, sha256 };
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
}

/** @throws Error for a file that is not what was written for the key. */
function decode(key: string, bytes: Buffer): IEncoderResult {
  const end = bytes.subarray(0, HEAD_MAX).indexOf(10);
  const head = zHead.parse(JSON.parse(bytes.subarray(0, Math.max(0, end)).toString()));
  const body = Uint8Array.prototype.slice.call(bytes, end + 1);
  const { lengths, half, about, sha256 } = head;
  const expected = (half ? 2 : 4) * lengths.reduce((sum, length) => sum + length, 0);
  if (body.length !== expected) {
    throw new Error(`it has ${body.length} bytes of numbers instead of ${expected}`);
  }
  if (head.key !== key || createHash('sha256').update(body).digest('hex') !== sha256) {
    throw new Error('its digest or its key is another one');
  }
  let at = 0;
  const arrays = lengths.map(length => {
    const from = at;
    at += length * (half ? 2 : 4);
    return half ? fromFloat16(new Uint16Array(body.buffer, from, length)) : new Float32Array(body.buffer, from, length);
  });
  return { arrays, about };
}
