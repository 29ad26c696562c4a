/** Labels and results in files, and files opened as labels: asked of the kernel, which has the disk of the notebook. */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, Params, Result, UPLOAD_BYTES_MAX } from '../../shared';
import { ISessionLink } from '../base/session-link';
import { trans } from '../base/translation';

/** Bytes of a part of an upload: in one list of frames with its header. */
const PART_BYTES = 900_000;

/** What can be saved, in which formats, and where. */
export type FileChoices = Result<'kernel.files'>;

/** A file to save, without the session. */
export type SavedAs = Omit<Params<'kernel.save'>, 'session' | 'replace'>;

/** Where a file is: the path that the kernel knows, or the id of an upload. */
export type FilePlace = { path: string } | { upload: string };

/** The state of saving and opening. */
export type LabelFilesState =
  | { state: 'idle' }
  | { state: 'saving' }
  /** The file exists: {@link LabelFiles.replace} writes it all the same. */
  | { state: 'exists'; path: string; file: SavedAs }
  | { state: 'saved'; path: string }
  | { state: 'sending'; name: string; fraction: number }
  | { state: 'opening'; name: string }
  | { state: 'opened'; name: string; spread: boolean; problem: string }
  /** The file is an image: {@link LabelFiles.cell} gives a cell for it; if it `fits`, it may be opened as labels as well. */
  | { state: 'image'; name: string; fits: boolean; problem: string; place: FilePlace }
  /** The cell for an image could not be inserted: its code, for the user to run. */
  | { state: 'code'; source: string }
  | { state: 'failed'; message: string };

/** The part of the browser's `File` that is used. */
export interface ILocalFile {
  readonly name: string;
  readonly size: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** Which form of the section is asked for. */
export type FilesForm = 'save' | 'open';

/** Saves and opens files of one session, one at a time. */
export class LabelFiles implements IDisposable {
  constructor(private readonly _options: LabelFiles.IOptions) {}

  /** Emits when the state or the choices change. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits when a command asks to see a form, or to see what became of a dropped file (null). */
  get asked(): ISignal<this, FilesForm | null> {
    return this._asked;
  }

  get state(): LabelFilesState {
    return this._state;
  }

  /** What can be saved; null until {@link fetch} has asked the kernel. */
  get choices(): FileChoices | null {
    return this._choices;
  }

  get busy(): boolean {
    return this._busy;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Show a form. */
  ask(form: FilesForm): void {
    this._asked.emit(form);
  }

  /** Ask the kernel what can be saved, and which files there are now. */
  async fetch(): Promise<void> {
    try {
      const { session } = this._options.link;
      this._choices = (await this._options.link.request('kernel.files', { session })).result;
    } catch (reason) {
      if (!this._busy) {
        this._state = { state: 'failed', message: BridgeError.from(reason).message };
      }
    }
    this._changed.emit();
  }

  /** Save an array, with all strokes so far. A file that exists stays as it is: the state is then `exists`. */
  save(file: SavedAs): Promise<void> {
    return this._save(file, false);
  }

  /** Replace the file of the state `exists`. */
  async replace(): Promise<void> {
    if (this._state.state === 'exists') {
      await this._save(this._state.file, true);
    }
  }

  /** Open a file beside the notebook, or at a path, as labels. */
  open(path: string): Promise<void> {
    return this._open(path, { path }, true);
  }

  /** Open a file that was dropped from JupyterLab's file browser: as labels, or offer what else would do. */
  drop(contentsPath: string): Promise<void> {
    this._asked.emit(null);
    const path = besideNotebook(contentsPath, this._options.notebook?.() ?? null);
    return this._open(path, { path }, false);
  }

  /** Open a file of the user's computer: as labels, or offer what else would do. */
  openLocal(file: ILocalFile): Promise<void> {
    this._asked.emit(null);
    const { name, size } = file;
    return this._run({ state: 'sending', name, fraction: 0 }, async () => {
      if (size > UPLOAD_BYTES_MAX) {
        throw new BridgeError('too-large', larger(name, size));
      }
      const { link } = this._options;
      const upload = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
      for (let offset = 0; offset === 0 || offset < size; offset += PART_BYTES) {
        const part = new Uint8Array(await file.slice(offset, Math.min(offset + PART_BYTES, size)).arrayBuffer());
        const params = { session: link.session, upload, name: name.slice(-200), offset };
        await link.request('kernel.upload', params, { buffers: [part] });
        this._set({ state: 'sending', name, fraction: Math.min(1, (offset + PART_BYTES) / Math.max(size, 1)) });
      }
      await this._openNow(name, { upload }, false);
    });
  }

  /** Open the file of the state `image` as labels. */
  async asLabels(): Promise<void> {
    if (this._state.state === 'image') {
      await this._open(this._state.name, this._state.place, true);
    }
  }

  /** The code of a cell that labels the image of the state `image`; null after a failure. */
  async cell(): Promise<string | null> {
    const { state: image } = this;
    let source: string | null = null;
    if (image.state === 'image') {
      await this._run({ state: 'opening', name: image.name }, async () => {
        const { link } = this._options;
        source = (await link.request('kernel.cell', { session: link.session, ...image.place })).result.source;
        this._set({ state: 'idle' });
      });
    }
    return source;
  }

  /** Show code that the user has to run. */
  showCode(source: string): void {
    this._set({ state: 'code', source });
  }

  /** Clear the outcome of the last file. */
  dismiss(): void {
    if (!this._busy && this._state.state !== 'idle') {
      this._set({ state: 'idle' });
    }
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  private _save(file: SavedAs, replace: boolean): Promise<void> {
    return this._run({ state: 'saving' }, async () => {
      const { link, drained } = this._options;
      await drained();
      const { result } = await link.request('kernel.save', { session: link.session, ...file, replace });
      const { path } = result;
      this._set(result.saved ? { state: 'saved', path } : { state: 'exists', path, file });
    });
  }

  private _open(name: string, place: FilePlace, sure: boolean): Promise<void> {
    return this._run({ state: 'opening', name }, () => this._openNow(name, place, sure));
  }

  private async _openNow(name: string, place: FilePlace, sure: boolean): Promise<void> {
    this._set({ state: 'opening', name });
    const { link, drained } = this._options;
    await drained(); // strokes that wait would paint over the new labels
    const { result } = await link.request('kernel.open', { session: link.session, ...place, sure });
    const { kind, path, spread, fits, problem } = result;
    this._set(
      kind === 'labels'
        ? { state: 'opened', name: path, spread, problem }
        : { state: 'image', name: path, fits, problem, place }
    );
  }

  private async _run(state: LabelFilesState, action: () => Promise<void>): Promise<void> {
    if (this._busy) {
      return;
    }
    this._busy = true;
    this._set(state);
    try {
      await action();
    } catch (reason) {
      this._set({ state: 'failed', message: BridgeError.from(reason).message });
    } finally {
      this._busy = false;
      this._changed.emit();
    }
  }

  private _set(state: LabelFilesState): void {
    this._state = state;
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _asked = new Signal<this, FilesForm | null>(this);
  private _state: LabelFilesState = { state: 'idle' };
  private _choices: FileChoices | null = null;
  private _busy = false;
  private _disposed = false;
}

/** The namespace for {@link LabelFiles}. */
export namespace LabelFiles {
  export interface IOptions {
    link: ISessionLink;
    /** Resolves when all clicks and strokes so far are with the sidecar. */
    drained(): Promise<void>;
    /** The notebook's path as JupyterLab's file browser knows it, if it does. */
    notebook?: (() => string | null) | undefined;
  }
}

/** A path of JupyterLab's file browser as one that starts at the notebook's folder. */
export function besideNotebook(path: string, notebook: string | null): string {
  const parts = (text: string) =>
    text
      .replace(/^[^/:]*:/, '')
      .split('/')
      .filter(Boolean);
  const to = parts(path);
  const from = parts(notebook ?? '').slice(0, -1);
  let same = 0;
  while (same < from.length && same < to.length - 1 && from[same] === to[same]) {
    same++;
  }
  return [...from.slice(same).map(() => '..'), ...to.slice(same)].join('/');
}

function larger(name: string, size: number): string {
  const megabytes = (bytes: number) => Math.ceil(bytes / 2 ** 20);
  return trans.__(
    '“%1” has %2 MB, and a page sends files of up to %3 MB. Put it beside the notebook, and drop it from JupyterLab’s file browser or open it by its name.',
    ...[name, megabytes(size), megabytes(UPLOAD_BYTES_MAX)]
  );
}
