/** Saves the session's classifier as a file, and loads one into the session. */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, ClassifierFormat, ClassifierFormatInfo, SessionState } from '../../shared';
import { ISessionEvent, ISessionLink } from '../base/session-link';
import { trans } from '../base/translation';

/** Larger files are not loaded through the browser: they would delay all other messages. */
export const FILE_BYTES_MAX = 64 << 20;

/** The state of saving and loading. */
export type FilesState =
  | { state: 'idle' }
  | { state: 'saving' }
  | { state: 'saved'; message: string }
  | { state: 'loading'; name: string; fraction: number | null }
  | { state: 'loaded'; name: string }
  | { state: 'failed'; message: string };

/** A file to hand to the user. */
export interface ISavedFile {
  name: string;
  mediaType: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** The part of the browser's `File` that is used. */
export interface IChosenFile {
  readonly name: string;
  readonly size: number;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Saves and loads the classifier of one session, one file at a time. */
export class ClassifierFiles implements IDisposable {
  constructor(options: ClassifierFiles.IOptions) {
    this._link = options.link;
    this._link.on('job').connect(this._onJob, this);
  }

  /** Emits when the state changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get state(): FilesState {
    return this._state;
  }

  get busy(): boolean {
    return this._running !== null;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** The file formats that the sidecar writes or reads; empty until {@link fetchFormats} has asked it for them. */
  get formats(): readonly ClassifierFormatInfo[] {
    return this._formats;
  }

  /** Ask the sidecar for its file formats, once. A request that failed is sent again with the next call. */
  async fetchFormats(): Promise<void> {
    if (this._formats.length > 0 || this._fetching) {
      return;
    }
    this._fetching = true;
    try {
      const { result } = await this._link.request('classifier.formats', {});
      this._formats = result.formats;
    } catch (reason) {
      if (!this.busy) {
        this._state = { state: 'failed', message: BridgeError.from(reason).message };
      }
    } finally {
      this._fetching = false;
      this._changed.emit();
    }
  }

  /** Get the classifier in a format, under a file name made of `title`; null after a failure, which the state describes. */
  save(title: string, format: ClassifierFormat): Promise<ISavedFile | null> {
    return this._run({ state: 'saving' }, async signal => {
      const params = { session: this._link.session, format };
      const { result, buffers } = await this._link.request('classifier.export', params, { signal });
      const bytes = buffers[0];
      if (!bytes) {
        throw new BridgeError('malformed', 'The reply has no buffer with the classifier.');
      }
      const name = fileName(title, result.extension);
      this._set(
        bytes.length > FILE_BYTES_MAX ? { state: 'saved', message: larger(name, bytes.length) } : { state: 'idle' }
      );
      return { name, mediaType: result.mediaType, bytes: bytes.slice() };
    });
  }

  /** Load a classifier into the session. Returns the session after that; null if it failed or was cancelled. */
  load(file: IChosenFile): Promise<SessionState | null> {
    const { name, size } = file;
    return this._run({ state: 'loading', name, fraction: null }, async signal => {
      if (size > FILE_BYTES_MAX) {
        throw new BridgeError('too-large', larger(name, size));
      }
      if (size === 0) {
        throw new BridgeError('invalid', trans.__('“%1” is empty; choose the file of a classifier.', name));
      }
      const buffers = [new Uint8Array(await file.arrayBuffer())];
      const onId = (id: string) => (this._job = id);
      const params = { session: this._link.session };
      const { result } = await this._link.request('classifier.load', params, { buffers, signal, onId });
      this._set({ state: 'loaded', name });
      return result;
    });
  }

  /** Cancel saving or loading. */
  cancel(): void {
    this._running?.abort();
  }

  /** Clear the outcome of the last file. */
  dismiss(): void {
    if (!this.busy && this._state.state !== 'idle') {
      this._set({ state: 'idle' });
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    // Loading goes on: the classifier belongs to the session, not to this view.
    Signal.clearData(this);
  }

  /** Follow the progress of loading. */
  private _onJob(_: ISessionLink, { params: job }: ISessionEvent<'job'>): void {
    if (job.job === this._job && this._state.state === 'loading' && job.state === 'running') {
      const fraction = job.total > 0 ? Math.min(job.done / job.total, 1) : null;
      this._set({ ...this._state, fraction });
    }
  }

  private async _run<T>(state: FilesState, action: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
    if (this._running) {
      return null;
    }
    const running = new AbortController();
    this._running = running;
    this._set(state);
    try {
      return await action(running.signal);
    } catch (reason) {
      const error = BridgeError.from(reason);
      this._set(error.code === 'cancelled' ? { state: 'idle' } : { state: 'failed', message: error.message });
      return null;
    } finally {
      this._running = null;
      this._job = null;
      this._changed.emit();
    }
  }

  private _set(state: FilesState): void {
    this._state = state;
    this._changed.emit();
  }

  private readonly _link: ISessionLink;
  private readonly _changed = new Signal<this, void>(this);
  private _state: FilesState = { state: 'idle' };
  private _formats: readonly ClassifierFormatInfo[] = [];
  private _fetching = false;
  private _running: AbortController | null = null;
  private _job: string | null = null;
  private _disposed = false;
}

/** The namespace for {@link ClassifierFiles}. */
export namespace ClassifierFiles {
  export interface IOptions {
    link: ISessionLink;
  }
}

/** The message for a file that is too large to load here; saving shows it too. */
function larger(name: string, size: number): string {
  const megabytes = (bytes: number) => Math.ceil(bytes / 2 ** 20);
  return trans.__(
    '“%1” has %2 MB; the widget loads files of up to %3 MB. In Python, sambalab.Classifier.load reads larger ones.',
    ...[name, megabytes(size), megabytes(FILE_BYTES_MAX)]
  );
}

/** A file name that is valid on every system. */
export function fileName(title: string, extension: string): string {
  const safe = title
    .replace(/\.[a-z0-9]{1,5}$/i, '')
    .replace(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 80);
  return `${safe || 'classifier'}${extension.startsWith('.') ? extension : `.${extension}`}`;
}
