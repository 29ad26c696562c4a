/** Controls that several sections of the panel use: folds, notes, text fields with validation, lists, check boxes, sliders. */
import { ISignal, Signal } from '@lumino/signaling';
import { button, element, icon, setText, slider } from '../base/dom';
import { trans } from '../base/translation';

/** A title with a body that opens and closes below it. */
export class Fold {
  constructor(options: { testid: string; title: string; className?: string }) {
    this.node = element(
      'details',
      { class: `sambalab-section ${options.className ?? ''}`.trim(), 'data-testid': options.testid },
      element(
        'summary',
        {},
        element('span', { class: 'sambalab-section-title' }, options.title),
        this._value,
        this._mark
      ),
      this.body
    );
  }

  readonly node: HTMLDetailsElement;
  readonly body = element('div', { class: 'sambalab-section-body' });

  /** The summary beside the title. */
  set value(text: string) {
    setText(this._value, text ? `· ${text}` : '');
  }

  /** Whether a field inside is invalid. A closed fold says so beside its title. */
  set invalid(invalid: boolean) {
    setText(this._mark, invalid ? trans.__('invalid value') : '');
  }

  private readonly _value = element('span', { class: 'sambalab-section-value' });
  private readonly _mark = element('span', { class: 'sambalab-section-mark', 'data-kind': 'error' });
}

/** The invalid fields of one panel, by section. */
export class InvalidFields {
  /** Emits when {@link sections} changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Titles of the sections that have an invalid field. */
  get sections(): string[] {
    return [...this._fields.keys()];
  }

  /** Record that a field of a section became invalid, or valid. */
  set(section: string, field: object, invalid: boolean): void {
    const fields = this._fields.get(section) ?? new Set<object>();
    if (invalid) {
      fields.add(field);
    } else {
      fields.delete(field);
    }
    if (fields.size > 0 !== this._fields.has(section)) {
      if (fields.size > 0) {
        this._fields.set(section, fields);
      } else {
        this._fields.delete(section);
      }
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _fields = new Map<string, Set<object>>();
}

/** A short text below other controls, hidden while it is empty. */
export class Note {
  constructor(options: { testid?: string; className?: string; announced?: boolean; alert?: boolean }) {
    this.node = element('div', {
      class: options.className ?? 'sambalab-note',
      role: options.alert ? 'alert' : options.announced ? 'status' : undefined,
      'data-testid': options.testid
    });
    this.set('');
  }

  readonly node: HTMLElement;

  set(text: string, kind: 'plain' | 'error' = 'plain'): void {
    setText(this.node, text);
    this.node.dataset['kind'] = kind;
    this.node.hidden = text === '';
  }
}

/** A button that shows and hides an overlay; its icon is an open eye while the overlay is shown. */
export function eyeButton(options: { testid: string; title: string; run(): void }): {
  node: HTMLButtonElement;
  set(shown: boolean): void;
} {
  const node = button({ ...options, icon: 'eyeOff' });
  return {
    node,
    set(shown) {
      if (node.getAttribute('aria-pressed') !== String(shown)) {
        node.setAttribute('aria-pressed', String(shown));
        node.replaceChildren(icon(shown ? 'eye' : 'eyeOff'));
      }
    }
  };
}

/** A label and its control in one line. */
export function row(label: string, control: Node, title = '', className = ''): HTMLLabelElement {
  return element(
    'label',
    { class: `sambalab-field ${className}`.trim(), ...(title ? { title } : {}) },
    element('span', { class: 'sambalab-field-label' }, label),
    control
  );
}

/** A slider from 0 to 100 %; its value is from 0 to 1. */
export function opacitySlider(options: {
  testid: string;
  label?: string;
  title: string;
  input(opacity: number): void;
}): {
  node: HTMLElement;
  set(opacity: number): void;
} {
  const { node, set } = slider({
    label: trans.__('Opacity'),
    ...options,
    min: 0,
    max: 100,
    step: 5,
    format: percent => `${percent} %`,
    input: percent => options.input(percent / 100)
  });
  return { node, set: opacity => set(Math.round(opacity * 100)) };
}

/** A drop-down list with its label. */
export class SelectField {
  constructor(options: {
    testid: string;
    label: string;
    title?: string;
    choices: readonly (readonly [value: string, text: string])[];
    choose(value: string): void;
  }) {
    this._select = element('select', { class: 'sambalab-select', 'data-testid': options.testid });
    this.choices = options.choices;
    this._select.addEventListener('change', () => options.choose(this._select.value));
    this.node = row(options.label, this._select, options.title);
  }

  readonly node: HTMLElement;

  /** What can be chosen; {@link set} says what is. */
  set choices(choices: readonly (readonly [value: string, text: string])[]) {
    this._other = null;
    this._select.replaceChildren(...choices.map(([value, text]) => element('option', { value }, text)));
  }

  /** Show a value. `null` stands for a value that is not in the list; `other` is its text. */
  set(value: string | null, other = ''): void {
    this._other?.remove();
    this._other = null;
    if (value === null) {
      this._other = element('option', { value: '', disabled: '', hidden: '' }, other);
      this._select.prepend(this._other);
    }
    this._select.value = value ?? '';
  }

  private readonly _select: HTMLSelectElement;
  private _other: HTMLOptionElement | null = null;
}

/** A check box with its label. */
export class CheckField {
  constructor(options: { testid: string; label: string; title?: string; choose(checked: boolean): void }) {
    this._input = element('input', { type: 'checkbox', 'data-testid': options.testid });
    this._input.addEventListener('change', () => options.choose(this._input.checked));
    this.node = element(
      'label',
      { class: 'sambalab-check', title: options.title },
      this._input,
      element('span', {}, options.label)
    );
  }

  readonly node: HTMLElement;

  set(checked: boolean): void {
    this._input.checked = checked;
  }

  private readonly _input: HTMLInputElement;
}

let fields = 0;

/**
 * A text input that is checked while the user types. Invalid input stays, with the reason below it, until the user corrects it or
 * Python or another labeller changes the value.
 */
export class TextField {
  constructor(options: {
    testid: string;
    label: string;
    title?: string;
    unit?: string;
    /** Whether the text is a list of numbers: its input takes the whole width, below the label. */
    list?: boolean;
    placeholder?: string;
    /** Apply the text; throws if it is invalid. */
    apply(text: string): void;
    /** The message for an error that `apply` threw. */
    problem(reason: unknown): string;
    /** Called when the text becomes invalid, or valid again. */
    report(field: TextField, invalid: boolean): void;
  }) {
    this._report = options.report;
    const id = `sambalab-problem-${fields++}`;
    this._input = element('input', {
      type: 'text',
      class: 'sambalab-text',
      spellcheck: 'false',
      autocomplete: 'off',
      placeholder: options.placeholder,
      'aria-describedby': id,
      'data-testid': options.testid
    });
    this._problem = element('div', { id, class: 'sambalab-problem', role: 'alert', 'data-kind': 'error' });
    const label = options.unit ? `${options.label} (${options.unit})` : options.label;
    const className = options.list ? 'sambalab-list-field' : 'sambalab-number-field';
    this.node = element('div', {}, row(label, this._input, options.title, className), this._problem);
    this._input.addEventListener('input', () => {
      try {
        // `set` must not replace the text that the user is typing.
        this._applying = true;
        options.apply(this._input.value);
        this._say('');
      } catch (reason) {
        this._say(options.problem(reason));
      } finally {
        this._applying = false;
      }
    });
    this._input.addEventListener('blur', () => {
      if (!this._invalid) {
        this._input.value = this._value;
      }
    });
    this._say('');
  }

  readonly node: HTMLElement;

  /** Show a value, unless the user is typing another one. */
  set(value: string): void {
    const changed = value !== this._value;
    this._value = value;
    if (this._invalid && changed && !this._applying) {
      this.reset();
    } else if (!this._invalid && document.activeElement !== this._input && this._input.value !== value) {
      this._input.value = value;
    }
  }

  /** Discard invalid input. */
  reset(): void {
    if (this._invalid || document.activeElement !== this._input) {
      this._input.value = this._value;
    }
    this._say('');
  }

  set placeholder(text: string) {
    this._input.placeholder = text;
  }

  private _say(problem: string): void {
    setText(this._problem, problem);
    this._problem.hidden = problem === '';
    if (this._invalid !== (problem !== '')) {
      this._invalid = problem !== '';
      this._report(this, this._invalid);
    }
    if (problem) {
      this._input.setAttribute('aria-invalid', 'true');
    } else {
      this._input.removeAttribute('aria-invalid');
    }
  }

  private readonly _input: HTMLInputElement;
  private readonly _problem: HTMLElement;
  private readonly _report: (field: TextField, invalid: boolean) => void;
  private _value = '';
  private _invalid = false;
  private _applying = false;
}
