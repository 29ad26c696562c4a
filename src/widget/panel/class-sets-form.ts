/** A form below the list of classes: saves them as a set, and uses or removes a set. */
import { BridgeError } from '../../shared';
import { button, element, hide, setDisabled, setText } from '../base/dom';
import { trans } from '../base/translation';
import { LabellerState } from '../state/labeller-state';
import { Note, row } from './fields';

export class ClassSetsForm {
  constructor(private readonly _state: LabellerState) {
    this.node.id = `sambalab-class-sets-${instances++}`;
    this.node.hidden = true;
    this.toggle.setAttribute('aria-controls', this.node.id);
    this.toggle.setAttribute('aria-expanded', 'false');
    this._name.addEventListener('input', () => this.refresh());
    this._name.addEventListener('keydown', event => {
      if (event.key === 'Enter') {
        event.preventDefault();
        this._save.click();
      }
    });
    this._choice.addEventListener('change', () => this.refresh());
    this.node.append(
      row(trans.__('Set'), this._choice),
      element('div', { class: 'sambalab-button-row' }, this._use, this._remove),
      row(trans.__('Name'), this._name),
      element('div', { class: 'sambalab-button-row' }, this._save),
      this._note.node
    );
    this.refresh();
  }

  /** The button that opens and closes the form. */
  readonly toggle = button({
    testid: 'sambalab-class-sets-toggle',
    title: trans.__('Save these classes as a set, or use a set'),
    icon: 'sets',
    run: () => void this._toggle()
  });

  readonly node = element('div', { class: 'sambalab-class-sets', 'data-testid': 'sambalab-class-sets' });

  /** Show the sets that there are. */
  refresh(): void {
    const { sets } = this._state.classSets;
    if (sets !== this._shown) {
      this._shown = sets;
      const chosen = this._choice.value;
      this._choice.replaceChildren(
        ...sets.map(({ name, classes }) =>
          element('option', { value: name, title: classes.map(each => each.name).join(', ') }, name)
        )
      );
      this._choice.value = sets.some(({ name }) => name === chosen) ? chosen : (sets[0]?.name ?? '');
    }
    const none = sets.length === 0;
    this._choice.disabled = none;
    setDisabled(this._use, none);
    setDisabled(this._remove, none);
    const replaces = sets.some(({ name }) => name === this._name.value.trim());
    setText(this._save, replaces ? trans.__('Replace the set') : trans.__('Save as set'));
    if (!none || this._failed) {
      return;
    }
    this._note.set(trans.__('No set was saved yet. A set keeps names, colours and order of the classes.'));
  }

  private async _toggle(): Promise<void> {
    hide(this.node, !this.node.hidden, this.toggle);
    this.toggle.setAttribute('aria-expanded', String(!this.node.hidden));
    if (!this.node.hidden) {
      await this._try(() => this._state.classSets.fetch(), '');
    }
  }

  private async _saveNow(): Promise<void> {
    const name = this._name.value.trim();
    if (!name) {
      this._name.focus();
      return;
    }
    const classes = this._state.session?.classes ?? [];
    await this._try(() => this._state.classSets.save(name, classes), trans.__('Saved as “%1”.', name));
    this._choice.value = name;
  }

  private async _useNow(): Promise<void> {
    const name = this._choice.value;
    await this._state.useClassSet(name);
    if (this._state.error === null && !this._state.isDisposed) {
      this._note.set('');
      this._state.note(`${trans.__('The classes are those of “%1” now.', name)} ${trans.__('Ctrl+Z takes it back.')}`);
    }
  }

  private async _removeNow(): Promise<void> {
    const name = this._choice.value;
    await this._try(() => this._state.classSets.remove(name), trans.__('The set “%1” is removed.', name));
  }

  private async _try(action: () => Promise<void>, done: string): Promise<void> {
    try {
      await action();
      this._failed = false;
      this._note.set(done);
    } catch (reason) {
      this._failed = true;
      this._note.set(BridgeError.from(reason).message, 'error');
    }
    this.refresh();
  }

  private readonly _choice = element('select', { class: 'sambalab-select', 'data-testid': 'sambalab-class-set' });
  private readonly _name = element('input', {
    type: 'text',
    class: 'sambalab-text',
    maxlength: '200',
    autocomplete: 'off',
    'data-testid': 'sambalab-class-set-name'
  });
  private readonly _use = outlined(
    'sambalab-class-set-use',
    trans.__('Use'),
    trans.__('Give the classes its names and colours, in its order; labels stay'),
    () => this._useNow()
  );
  private readonly _remove = outlined(
    'sambalab-class-set-remove',
    trans.__('Remove'),
    trans.__('Forget the set; labellers that use its classes keep them'),
    () => this._removeNow()
  );
  private readonly _save = outlined(
    'sambalab-class-set-save',
    trans.__('Save as set'),
    trans.__('Save names, colours and order of the classes under this name, for other images'),
    () => this._saveNow()
  );
  private readonly _note = new Note({
    testid: 'sambalab-class-sets-note',
    className: 'sambalab-class-sets-note',
    announced: true
  });
  private _shown: readonly unknown[] | null = null;
  private _failed = false;
}

/** Counts forms, so that each has an id of its own. */
let instances = 0;

function outlined(testid: string, text: string, title: string, run: () => Promise<void>): HTMLButtonElement {
  return button({ testid, text, title, className: 'sambalab-outlined', run: () => void run() });
}
