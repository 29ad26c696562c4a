/** Saves labels and results as files, and opens files as labels. The kernel says which formats there are. */
import { SavedFormat } from '../../shared';
import { button, element, hide, setDisabled, setText } from '../base/dom';
import { insertCell } from '../base/new-cell';
import { trans } from '../base/translation';
import { findCommand } from '../commands';
import { nameKeys, titleWithKey } from '../commands/titles';
import { FileChoices, FilesForm, LabelFiles, LabelFilesState, SavedAs } from '../state/label-files';
import { row } from './fields';
import { FoldingSection } from './folding-section';
import { progressBar } from './progress-bar';
import { ISection, ISectionOptions } from './section';

export const filesSection: ISection = { place: 'middle', create: options => new FilesSection(options) };

export class FilesSection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({
      ...options,
      testid: 'sambalab-files',
      title: trans.__('Files'),
      follows: ['status', 'session', 'choice']
    });
    this.addClass('sambalab-files');
    const form = (which: FilesForm, text: string, name: string, icon: 'save' | 'open', body: HTMLElement) => {
      const command = findCommand(name);
      body.id = `sambalab-files-${which}-${instances}`;
      const node = button({
        testid: `sambalab-files-${which}`,
        title: titleWithKey(command),
        icon,
        text,
        className: 'sambalab-outlined',
        run: () => this._show(this._form === which ? null : which)
      });
      node.setAttribute('aria-controls', body.id);
      nameKeys(node, command);
      return node;
    };
    this._export = form('save', trans.__('Export…'), 'export-file', 'save', this._saving);
    this._import = form('open', trans.__('Open labels…'), 'open-labels', 'open', this._opening);
    instances++;
    this._from = this._export;
    this._fold.body.append(
      element('div', { class: 'sambalab-button-row' }, this._export, this._import),
      this._saveForm(),
      this._openForm(),
      this._bar.node,
      this._note
    );
    this._fold.node.addEventListener('toggle', () => void this._fetch());
    this._state.labelFiles.asked.connect(this._onAsked, this);
    this.refresh();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._state.labelFiles.asked.disconnect(this._onAsked, this);
      super.dispose();
    }
  }

  protected override refresh(): void {
    const { labelFiles: files, connection, session } = this._state;
    if (files.choices !== this._shown) {
      this._shown = files.choices;
      this._list(files.choices);
    }
    const idle = connection.state.state === 'connected' && !files.busy && Boolean(session?.imageReady);
    [this._export, this._import, this._save, this._open, this._local].forEach(node => setDisabled(node, !idle));
    this._export.setAttribute('aria-expanded', String(this._form === 'save'));
    this._import.setAttribute('aria-expanded', String(this._form === 'open'));
    this._refreshOptions();
    this._refreshNote(files);
  }

  private _saveForm(): HTMLElement {
    const follow = () => {
      this._touched ||= this._name.value !== this._proposed;
      this._propose();
      this._refreshOptions();
    };
    this._what.addEventListener('change', follow);
    this._format.addEventListener('change', follow);
    this._name.addEventListener('input', () => {
      this._touched = this._name.value !== '';
      const ending = this._formats.find(known => this._name.value.toLowerCase().endsWith(known.ending))?.ending;
      if (ending && [...this._format.options].some(option => option.value === ending && !option.disabled)) {
        this._format.value = ending;
      }
      this._refreshOptions();
    });
    const save = () => void this._state.labelFiles.save(this._file());
    onEnter(this._name, save);
    this._save = button({
      testid: 'sambalab-export-save',
      title: trans.__('Save the file'),
      text: trans.__('Save'),
      className: 'sambalab-outlined',
      run: save
    });
    this._saving.append(
      row(trans.__('What'), this._what),
      row(trans.__('Format'), this._format),
      this._about,
      this._oneSlice.node,
      this._spread.node,
      row(trans.__('File'), this._name, '', 'sambalab-list-field'),
      this._folder,
      element('div', { class: 'sambalab-button-row' }, this._save)
    );
    this._saving.hidden = true;
    return this._saving;
  }

  private _openForm(): HTMLElement {
    const { labelFiles: files } = this._state;
    this._names.id = `sambalab-files-names-${instances}`;
    this._path.setAttribute('list', this._names.id);
    const open = () => {
      const path = this._path.value.trim();
      if (path) {
        void files.open(path);
      } else {
        this._path.focus();
      }
    };
    onEnter(this._path, open);
    this._open = button({
      testid: 'sambalab-open-file',
      title: trans.__('Replace all labels by those of the file; undo takes it back'),
      text: trans.__('Open'),
      className: 'sambalab-outlined',
      run: open
    });
    const local = element('input', { type: 'file', 'data-testid': 'sambalab-open-local-file' });
    local.hidden = true;
    local.addEventListener('change', () => {
      const file = local.files?.[0];
      if (file) {
        void files.openLocal(file).finally(() => (local.value = '')); // so that the same file can be chosen again
      }
    });
    this._local = button({
      testid: 'sambalab-open-local',
      title: trans.__('Choose a file of this computer; it can be dropped on the image as well'),
      text: trans.__('From this computer…'),
      className: 'sambalab-outlined',
      run: () => local.click()
    });
    this._opening.append(
      row(trans.__('File beside the notebook, or a path'), this._path, '', 'sambalab-list-field'),
      this._names,
      local,
      element('div', { class: 'sambalab-button-row' }, this._open, this._local),
      element(
        'div',
        { class: 'sambalab-files-hint' },
        trans.__('It replaces all labels, as one step that undo takes back. Files may also be dropped on the image.')
      )
    );
    this._opening.hidden = true;
    return this._opening;
  }

  /** Ask for formats and names whenever the section is opened: files come and go. */
  private async _fetch(): Promise<void> {
    const { connection, labelFiles } = this._state;
    if (this._fold.node.open && connection.state.state === 'connected') {
      await labelFiles.fetch();
    }
  }

  private _show(form: FilesForm | null): void {
    this._form = form;
    if (form) {
      this._from = form === 'save' ? this._export : this._import;
      void this._fetch();
    }
    this._state.labelFiles.dismiss();
    hide(this._saving, form !== 'save', this._from);
    hide(this._opening, form !== 'open', this._from);
    this.refresh();
  }

  private _onAsked(_: LabelFiles, form: FilesForm | null): void {
    this._fold.node.open = true;
    if (form) {
      this._show(form);
      (form === 'save' ? this._what : this._path).focus({ preventScroll: true });
    }
    const shown = form === 'save' ? this._saving : form === 'open' ? this._opening : this._note;
    // After the lists are there: the form is higher then.
    void this._fetch().then(() => shown.scrollIntoView?.({ block: 'nearest' }));
  }

  /** Fill the lists. */
  private _list(choices: FileChoices | null): void {
    const chosen = this._what.value;
    const whats = (choices?.arrays ?? []).flatMap(name => (name === 'overlay' ? OVERLAYS : [name]));
    this._what.replaceChildren(...whats.map(what => element('option', { value: what }, titleOf(what))));
    this._formats = choices?.formats ?? [];
    const format = this._format.value;
    this._format.replaceChildren(
      ...this._formats.map(({ ending, title }) => element('option', { value: ending }, `${title} (${ending})`))
    );
    this._what.value = whats.includes(chosen) ? chosen : this._state.session?.segmentation ? 'segmentation' : 'labels';
    this._format.value = format || (this._formats[0]?.ending ?? '');
    setText(this._folder, choices ? trans.__('in %1', choices.folder) : '');
    this._folder.title = choices?.folder ?? '';
    this._names.replaceChildren(...(choices?.files ?? []).map(value => element('option', { value })));
    this._propose();
  }

  /** Propose a name for the file; of one that the user typed, change only the ending. */
  private _propose(): void {
    this._refreshChoices();
    const ending = this._format.value;
    const before = this._formats.find(known => this._name.value.toLowerCase().endsWith(known.ending))?.ending;
    if (!this._touched || this._name.value === '') {
      const what = this._what.value.replace(/:.*/, '');
      this._proposed = this._shown ? `${this._shown.stem}-${what}${ending}` : '';
      this._name.value = this._proposed;
      this._touched = false;
    } else if (before && ending && before !== ending) {
      this._name.value = this._name.value.slice(0, -before.length) + ending;
    }
  }

  /** Disable what there is not yet, and formats that cannot hold what is chosen. */
  private _refreshChoices(): void {
    const trained = Boolean(this._state.session?.segmentation);
    for (const option of this._what.options) {
      option.disabled = !trained && !WITHOUT_TRAINING.has(option.value);
    }
    const what = this._what.value.replace(/:.*/, '');
    for (const [i, option] of [...this._format.options].entries()) {
      option.disabled = !this._formats[i]!.arrays.includes(what);
    }
    if (this._format.selectedOptions[0]?.disabled) {
      this._format.value = [...this._format.options].find(option => !option.disabled)?.value ?? '';
    }
  }

  private _refreshOptions(): void {
    this._refreshChoices();
    const format = this._chosen;
    // A file holds slices in xy.
    const stack = (this._state.session?.image.shape[0] ?? 1) > 1 && this._state.direction === 'xy';
    this._oneSlice.node.hidden = !stack;
    setText(this._oneSlice.text, trans.__('Only slice %1', this._state.slice));
    this._oneSlice.input.disabled = format?.stacks === false;
    if (stack && format?.stacks === false) {
      this._oneSlice.input.checked = true;
    }
    this._spread.node.hidden = !format?.spreads.includes(this._what.value);
    setText(this._about, format?.description ?? '');
  }

  private get _chosen(): SavedFormat | undefined {
    return this._formats.find(({ ending }) => ending === this._format.value);
  }

  private _file(): SavedAs {
    const { settings, slice } = this._state;
    const [what, of] = this._what.value.split(':') as [string, 'segmentation' | 'labels' | undefined];
    const alpha = of === 'labels' ? settings.values.labelOpacity : settings.values.segmentationOpacity;
    return {
      path: this._name.value,
      what,
      ...(of && { of, alpha }),
      ...(!this._oneSlice.node.hidden && this._oneSlice.input.checked && { slice }),
      ...(!this._spread.node.hidden && this._spread.input.checked && { spread: true })
    };
  }

  private _refreshNote(files: LabelFiles): void {
    const { state } = files;
    const busy = state.state === 'saving' || state.state === 'opening';
    this._bar.set(state.state === 'sending' ? state : busy ? { fraction: null } : null);
    setText(this._text, noteOf(state));
    this._text.dataset['kind'] = state.state === 'failed' ? 'error' : 'plain';
    hide(this._code, state.state !== 'code', this._from);
    setText(this._code, state.state === 'code' ? state.source : '');
    const shows = (node: HTMLButtonElement, shown: boolean) => hide(node, !shown || files.busy, this._from);
    shows(this._replace, state.state === 'exists');
    shows(this._asImage, state.state === 'image');
    shows(this._asLabels, state.state === 'image' && state.fits);
    shows(this._dismiss, state.state !== 'idle');
    hide(this._note, state.state === 'idle', this._from);
    if (state.state === 'saved' && this._lastState !== 'saved') {
      void this._fetch(); // the new file can be opened
    }
    if (state.state !== this._lastState && !files.busy && state.state !== 'idle') {
      this._note.scrollIntoView?.({ block: 'nearest' });
    }
    this._lastState = state.state;
  }

  private async _openImage(): Promise<void> {
    const source = await this._state.labelFiles.cell();
    if (source !== null && !insertCell(this.node, source)) {
      this._state.labelFiles.showCode(source);
    }
  }

  private readonly _saving = element('div', { class: 'sambalab-files-form', 'data-testid': 'sambalab-export' });
  private readonly _opening = element('div', { class: 'sambalab-files-form', 'data-testid': 'sambalab-open' });
  private readonly _what = element('select', { class: 'sambalab-select', 'data-testid': 'sambalab-export-what' });
  private readonly _format = element('select', { class: 'sambalab-select', 'data-testid': 'sambalab-export-format' });
  private readonly _name = textInput('sambalab-export-name');
  private readonly _path = textInput('sambalab-open-path');
  private readonly _about = element('div', { class: 'sambalab-files-hint' });
  private readonly _folder = element('div', { class: 'sambalab-files-hint sambalab-files-folder' });
  private readonly _names = element('datalist');
  private readonly _oneSlice = check('sambalab-export-slice', '');
  private readonly _spread = check(
    'sambalab-export-spread',
    trans.__('Spread ids over 0 to 255'),
    trans.__('As SAMBA does: each id times 255 over the highest one, so that viewers show the classes as greys')
  );
  private readonly _export: HTMLButtonElement;
  private readonly _import: HTMLButtonElement;
  private _save!: HTMLButtonElement;
  private _open!: HTMLButtonElement;
  private _local!: HTMLButtonElement;
  private readonly _bar = progressBar('sambalab-label-files-progress', trans.__('Progress of the file'));
  private readonly _text = element('div', { role: 'status', 'data-testid': 'sambalab-label-files-note' });
  private readonly _code = element('pre', { class: 'sambalab-files-code', tabindex: '0' });
  private readonly _replace = button({
    testid: 'sambalab-export-replace',
    title: trans.__('Write the new file in place of the old one'),
    text: trans.__('Replace'),
    className: 'sambalab-outlined',
    run: () => void this._state.labelFiles.replace()
  });
  private readonly _asImage = button({
    testid: 'sambalab-open-image',
    title: trans.__('Insert a cell below this one, and run it: it shows the image in a labeller of its own'),
    text: trans.__('Label it in a new cell'),
    className: 'sambalab-outlined',
    run: () => void this._openImage()
  });
  private readonly _asLabels = button({
    testid: 'sambalab-open-as-labels',
    title: trans.__('Take its values as class ids, in place of all labels; undo takes it back'),
    text: trans.__('Open as labels'),
    className: 'sambalab-outlined',
    run: () => void this._state.labelFiles.asLabels()
  });
  private readonly _dismiss = button({
    testid: 'sambalab-label-files-dismiss',
    title: trans.__('Dismiss'),
    text: trans.__('Dismiss'),
    className: 'sambalab-outlined',
    run: () => this._state.labelFiles.dismiss()
  });
  private readonly _note = element(
    'div',
    { class: 'sambalab-files-note' },
    this._text,
    this._code,
    element('div', { class: 'sambalab-button-row' }, this._replace, this._asImage, this._asLabels, this._dismiss)
  );
  private _form: FilesForm | null = null;
  private _formats: readonly SavedFormat[] = [];
  private _shown: FileChoices | null = null;
  private _proposed = '';
  /** Whether the user typed the file's name. */
  private _touched = false;
  private _lastState: LabelFilesState['state'] = 'idle';
  /** The button that was used last. */
  private _from: HTMLButtonElement;
}

/** Counts sections, so that each list has an id of its own. */
let instances = 0;

/** What an overlay can show. */
const OVERLAYS = ['overlay:segmentation', 'overlay:labels'];

/** What there is before the first training. */
const WITHOUT_TRAINING = new Set(['labels', 'overlay:labels', 'provenance']);

function titleOf(what: string): string {
  const titles: Record<string, string> = {
    labels: trans.__('Labels'),
    segmentation: trans.__('Segmentation'),
    corrected: trans.__('Corrected segmentation'),
    probabilities: trans.__('Probabilities'),
    'overlay:segmentation': trans.__('Picture: segmentation over image'),
    'overlay:labels': trans.__('Picture: labels over image'),
    provenance: trans.__('What made each label')
  };
  return titles[what] ?? what;
}

function noteOf(state: LabelFilesState): string {
  switch (state.state) {
    case 'saving':
      return trans.__('Saving…');
    case 'exists':
      return trans.__('There is a file %1 already. Replace it, or choose another name.', state.path);
    case 'saved':
      return trans.__('Saved to %1', state.path);
    case 'sending':
      return trans.__('Sending “%1”…', state.name);
    case 'opening':
      return trans.__('Opening “%1”…', state.name);
    case 'opened':
      return [
        state.spread
          ? trans.__('The labels are those of “%1” now; its ids were spread over 0 to 255.', state.name)
          : trans.__('The labels are those of “%1” now.', state.name),
        state.problem
      ]
        .join(' ')
        .trim();
    case 'image':
      return state.fits
        ? trans.__('“%1” looks like an image. Label it, or take its values as class ids?', state.name)
        : trans.__('“%1” is an image: %2', state.name, state.problem);
    case 'code':
      return trans.__('Run this in a cell to label the image:');
    case 'failed':
      return state.message;
    default:
      return '';
  }
}

function textInput(testid: string): HTMLInputElement {
  return element('input', {
    type: 'text',
    class: 'sambalab-text',
    spellcheck: 'false',
    autocomplete: 'off',
    'data-testid': testid
  });
}

function check(testid: string, text: string, title = '') {
  const input = element('input', { type: 'checkbox', 'data-testid': testid });
  const span = element('span', {}, text);
  const node = element('label', { class: 'sambalab-check', ...(title && { title }) }, input, span);
  return { node, input, text: span };
}

function onEnter(input: HTMLInputElement, run: () => void): void {
  input.addEventListener('keydown', event => {
    if (event.key === 'Enter') {
      event.preventDefault();
      run();
    }
  });
}
