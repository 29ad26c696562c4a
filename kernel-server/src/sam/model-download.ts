/**
 * Downloads a file that the user asked for, over HTTP. What arrived before the connection broke stays in a file beside it, and the next try asks the
 * server for the rest (RFC 9110, section 14); the server's entity tag tells whether that is still the same file.
 */
import { createWriteStream } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BridgeError } from '../../../src/shared/errors';
import { writeAtomically } from '../base/files';

/** Values of HF_HUB_OFFLINE that mean true, as Hugging Face's own library reads them (huggingface_hub, `constants.py`). */
const TRUE = /^(1|on|yes|true)$/i;

/** Whether the environment forbids downloads. */
export function isOffline(env: NodeJS.ProcessEnv): boolean {
  return TRUE.test(env['HF_HUB_OFFLINE'] ?? '');
}

/** What is kept beside a download. */
interface INote {
  url: string;
  etag: string | null;
}

/** The file that is kept beside a download, until {@link forgetDownload}. */
const noteOf = (path: string) => `${path}${NOTE}`;
const NOTE = '.download.json';

/** A download that goes on where an earlier one stopped. */
export interface IDownloadOptions {
  url: string;
  /** Where the whole file goes; until then it is in `<path>.part`. */
  path: string;
  env: NodeJS.ProcessEnv;
  /** Called with the bytes that are there, and all of them; null if the server does not say. */
  progress(done: number, total: number | null): void;
}

/**
 * Download a file.
 *
 * @throws BridgeError `model` where HF_HUB_OFFLINE forbids it, the server refuses, or the connection breaks; what arrived stays for the next try.
 */
export async function download({ url, path, env, progress }: IDownloadOptions): Promise<void> {
  const part = `${path}.part`;
  const note = await readNote(path);
  const known = note?.url === url ? note : null;
  const have = known ? await sizeOf(part) : 0;
  const headers: Record<string, string> = { 'Accept-Encoding': 'identity' };
  if (have === 0 && known?.etag && (await sizeOf(path)) > 0) {
    headers['If-None-Match'] = known.etag;
  }
  if (have > 0) {
    headers['Range'] = `bytes=${have}-`;
    if (known?.etag) {
      headers['If-Range'] = known.etag;
    }
  }
  const response = await ask(url, headers, env);
  if (response.status === 304) {
    return; // an earlier call brought it
  }
  if (response.status === 416 && have > 0) {
    // It is complete, or the server has another file now.
    const total = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? NaN);
    await response.body?.cancel();
    if (total !== have) {
      await rm(part, { force: true });
      return download({ url, path, env, progress });
    }
    await rename(part, path);
    return;
  }
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    throw refused(url, response);
  }
  const begin = response.status === 206 ? have : 0;
  const length = response.headers.get('content-length');
  const total = length === null ? null : begin + Number(length);
  const now: INote = { url, etag: response.headers.get('etag') };
  await writeAtomically(noteOf(path), JSON.stringify(now));
  let done = begin;
  progress(done, total);
  try {
    await pipeline(
      Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          done += chunk.length;
          progress(done, total);
          yield chunk;
        }
      },
      createWriteStream(part, { flags: begin > 0 ? 'a' : 'w', mode: 0o600 })
    );
  } catch (error) {
    throw stopped(url, await sizeOf(part), total, (error as Error).message);
  }
  if (total !== null && done !== total) {
    throw stopped(url, done, total, 'the connection ended');
  }
  await rename(part, path);
}

/**
 * Ask the server for the first byte of a file, to know before a long download whether the address is right. Some servers refuse HEAD,
 * but none that gives the file refuses this; from one that ignores the range, only the headers are read.
 *
 * @throws BridgeError `model` where HF_HUB_OFFLINE forbids it, the server cannot be reached or has no such file
 */
export async function checkAddress(url: string, env: NodeJS.ProcessEnv): Promise<void> {
  const response = await ask(url, { 'Accept-Encoding': 'identity', Range: 'bytes=0-0' }, env);
  await response.body?.cancel();
  if (!response.ok && response.status !== 416) {
    throw refused(url, response); // 416: the file is empty
  }
}

/** Remove what is kept beside a download that is complete. */
export function forgetDownload(path: string): Promise<void> {
  return rm(noteOf(path), { force: true });
}

/** Remove a download and what is kept beside it. */
export async function removeDownload(path: string): Promise<void> {
  await Promise.all([path, `${path}.part`].map(each => rm(each, { force: true })));
  await forgetDownload(path);
}

/** Names of the files in a folder of which an earlier call fetched all or some bytes. */
export async function keptDownloads(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names
    .filter(name => name.endsWith(NOTE))
    .map(name => name.slice(0, -NOTE.length))
    .filter(name => names.includes(name) || names.includes(`${name}.part`));
}

async function ask(url: string, headers: Record<string, string>, env: NodeJS.ProcessEnv): Promise<Response> {
  if (isOffline(env)) {
    throw new BridgeError(
      'model',
      `HF_HUB_OFFLINE=${env['HF_HUB_OFFLINE']} forbids downloads, so ${url} is not fetched. Unset it, or give the path of a file that is here.`
    );
  }
  try {
    return await fetch(url, { headers });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : (error as Error);
    throw new BridgeError(
      'model',
      `${url} cannot be reached (${cause.message}). Try again, or give the path of a file.`
    );
  }
}

function refused(url: string, { status, statusText }: Response): BridgeError {
  return new BridgeError('model', `${url} answered ${status} ${statusText}; the address of a file will do.`);
}

function stopped(url: string, done: number, total: number | null, why: string): BridgeError {
  return new BridgeError(
    'model',
    `The download of ${url} stopped after ${done} of ${total ?? 'unknown'} bytes (${why}). They are kept: the same command goes on from there.`
  );
}

async function readNote(path: string): Promise<INote | null> {
  try {
    return JSON.parse(await readFile(noteOf(path), 'utf8')) as INote;
  } catch {
    return null;
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0
  );
}
