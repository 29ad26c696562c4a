/** Saves the classifier as a file and loads one. The sidecar says which file formats there are. */
import { ClassifierFormat, ClassifierFormatInfo } from '../../shared';
import { FilesState, ISavedFile } from '../state/classifier-files';
import { button, element, hide, setDisabled, setText } from '../base/dom';
import { FoldingSection } from './folding-section';
import { ISection, ISectionOptions } from './section';
import { progressBar } from './progress-bar';
import { trans } from '../base/translation';

export const classifierSection: ISection = { place: 'middle', create: options => new ClassifierSection(options) };

export class ClassifierSection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({
      ...options,
      testid: 'sambalab-classifier',
      title: trans.__('Classifier'),
      follows: ['status', 'session']
    });
    const { state } = options;
    this.addClass('sambalab-classifier');
    this._save = button({
      testid: 'sambalab-save',
      title: trans.__('Save the classifier as a file'),
      icon: 'save',
      text: trans.__('Save…'),
      className: 'sambalab-outlined',
      run: () => this._toggle()
    });
    this._from = this._save;
    this._load = button({
      testid: 'sambalab-load',
      title: trans.__('Segment with a classifier from a file'),
      icon: 'open',
      text: trans.__('Load…'),
      className: 'sambalab-outlined',
      run: () => this._file.click()
    });
    this._file = element('input', { type: 'file', 'data-testid': 'sambalab-load-file' });
    this._file.hidden = true;
    this._file.addEventListener('change', () => {
      const file = this._file.files?.[0];
      this._file.value = ''; // so that the same file can be chosen again
      if (file) {
        this._from = this._load;
        void state.loadClassifier(file);
      }
    });
    this._formats = element('div', {
      class: 'sambalab-button-row',
      role: 'group',
      'aria-label': trans.__('Format of the file')
    });
    this._formats.id = `sambalab-formats-${instances++}`;
    this._formats.hidden = true;
    this._save.setAttribute('aria-expanded', 'false');
    this._save.setAttribute('aria-controls', this._formats.id);
    this._cancel = button({
      testid: 'sambalab-files-cancel',
      title: trans.__('Cancel'),
      icon: 'close',
      run: () => (state.files.busy ? state.files.cancel() : state.files.dismiss())
    });
    this._bar = progressBar('sambalab-files-progress', trans.__('Loading the classifier'));
    this._text = element('span', { role: 'status', 'data-testid': 'sambalab-files-note' });
    this._note = element('div', { class: 'sambalab-note' }, this._text, this._cancel);
    this._fold.body.append(
      element('div', { class: 'sambalab-button-row' }, this._save, this._load),
      this._formats,
      this._file,
      this._bar.node,
      this._note
    );
    this._fold.node.addEventListener('toggle', () => this._fetchFormats());
    this.refresh();
  }

  protected override refresh(): void {
    const { session, files, connection } = this._state;
    const { state } = files;
    this._showFormats(files.formats);
    const idle = connection.state.state === 'connected' && !files.busy;
    const saves = idle && !!session?.segmentation;
    setDisabled(this._save, !saves);
    this._save.title = session?.segmentation
      ? trans.__('Save the classifier as a file')
      : trans.__('There is no classifier yet: train one or load one from a file');
    setDisabled(this._load, !idle || !session?.imageReady);
    if (!saves) {
      hide(this._formats, true, this._save);
    }
    this._save.setAttribute('aria-expanded', String(!this._formats.hidden));
    this._bar.set(state.state === 'loading' ? state : state.state === 'saving' ? { fraction: null } : null);
    setText(this._text, noteOf(state));
    this._note.dataset['kind'] = state.state === 'failed' ? 'error' : 'plain';
    hide(this._note, state.state === 'idle', this._from);
    this._cancel.title = files.busy ? trans.__('Cancel') : trans.__('Dismiss');
    this._cancel.setAttribute('aria-label', this._cancel.title);
  }

  /** Ask for the formats while the section is open and there is a connection. */
  private _fetchFormats(): void {
    const { connection, files } = this._state;
    if (this._fold.node.open && connection.state.state === 'connected') {
      void files.fetchFormats();
    }
  }

  /** A button for each format that the sidecar writes; the file dialog lists the extensions of those that it reads. */
  private _showFormats(formats: readonly ClassifierFormatInfo[]): void {
    if (formats === this._shown) {
      return;
    }
    this._shown = formats;
    this._file.accept = [...new Set(formats.filter(({ reads }) => reads).map(({ extension }) => extension))].join();
    this._formats.replaceChildren(
      ...formats
        .filter(({ writes }) => writes)
        .map(({ name, title, description }) =>
          button({
            testid: `sambalab-save-${name}`,
            title: description,
            text: title,
            className: 'sambalab-outlined',
            run: () => void this._download(name)
          })
        )
    );
  }

  private _toggle(): void {
    this._fetchFormats();
    this._from = this._save;
    this._formats.hidden = !this._formats.hidden;
    this.refresh();
  }

  private async _download(format: ClassifierFormat): Promise<void> {
    hide(this._formats, true, this._save);
    const file = await this._state.saveClassifier(format);
    if (file) {
      download(file);
    }
  }

  private readonly _save: HTMLButtonElement;
  private readonly _load: HTMLButtonElement;
  private readonly _file: HTMLInputElement;
  private readonly _formats: HTMLElement;
  private readonly _cancel: HTMLButtonElement;
  private readonly _bar: ReturnType<typeof progressBar>;
  private readonly _note: HTMLElement;
  private readonly _text: HTMLElement;
  private _shown: readonly ClassifierFormatInfo[] | null = null;
  /** The button that was used last. */
  private _from: HTMLButtonElement;
}

function noteOf(state: FilesState): string {
  switch (state.state) {
    case 'saving':
      return trans.__('Saving…');
    case 'loading':
      return trans.__('Loading “%1”…', state.name);
    case 'loaded':
      return trans.__('“%1” is the classifier now.', state.name);
    case 'failed':
    case 'saved':
      return state.message;
    default:
      return '';
  }
}

/** Counts sections, so that each list of formats has an id of its own. */
let instances = 0;

/** Hand a file to the browser as a download. */
function download({ name, mediaType, bytes }: ISavedFile): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: mediaType }));
  const link = element('a', { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
