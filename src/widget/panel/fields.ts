/** Controls of the side panel: sections that open, lines of text that are checked as they are typed, lists to choose from. */
import { ISignal, Signal } from '@lumino/signaling';
import { element, setText, slider } from '../base/dom';
import { trans } from '../base/translation';

/** A part of the panel that opens and closes under its heading. */
export function section(options: { testid: string; className?: string; body: (Node | string)[] }): {
  node: HTMLDetailsElement;
  /** Name it, and say what it is set to. */
  head(title: string, value?: string): void;
  /** Say whether a field in it is wrong, which is not seen while it is closed. */
  mark(wrong: boolean): void;
} {
  const title = element('span', { class: 'sambalab-section-title' });
  const value = element('span', { class: 'sambalab-section-value' });
  const mark = element('span', { class: 'sambalab-section-mark', 'data-kind': 'error' });
  const node = element(
    'details',
    { class: `sambalab-section ${options.className ?? ''}`.trim(), 'data-testid': options.testid },
    element('summary', {}, title, value, mark),
    element('div', { class: 'sambalab-section-body' }, ...options.body)
  );
  return {
    node,
    head(name, text = '') {
      setText(title, name);
      setText(value, text ? `· ${text}` : '');
    },
    mark(wrong) {
      setText(mark, wrong ? trans.__('wrong value') : '');
    }
  };
}

/** The invalid fields of one panel, by section. */
export class InvalidFields {
  /** Emits when {@link sections} changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Titles of the sections. */
  get sections(): string[] {
    return [...this._fields.keys()];
  }

  /** A field of a section is wrong, or not any more. */
  set(section: string, field: object, wrong: boolean): void {
    const fields = this._fields.get(section) ?? new Set<object>();
    if (wrong) {
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

/** A line with a label before its control. */
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

/** A list to choose from. */
export class SelectField {
  constructor(options: {
    testid: string;
    label: string;
    title?: string;
    choices: readonly (readonly [value: string, text: string])[];
    choose(value: string): void;
  }) {
    this._select = element('select', { class: 'sambalab-select', 'data-testid': options.testid });
    this._select.append(...options.choices.map(([value, text]) => element('option', { value }, text)));
    this._select.addEventListener('change', () => options.choose(this._select.value));
    this.node = row(options.label, this._select, options.title);
  }

  readonly node: HTMLElement;

  /** Show a value. One that cannot be chosen is shown as `other`. */
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

/** A box to check, with its text behind it. */
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
 * A line of text that is checked as it is typed. What is wrong stays, with the reason below it, until it is right or the value
 * is changed from elsewhere.
 */
export class TextField {
  constructor(options: {
    testid: string;
    label: string;
    title?: string;
    unit?: string;
    /** A list of numbers: it takes the whole width, below its label. */
    list?: boolean;
    placeholder?: string;
    /** Take the text; throws for what cannot be taken. */
    apply(text: string): void;
    /** What is wrong, in words. */
    problem(reason: unknown): string;
    /** The text became wrong, or right. */
    marked?(field: TextField, wrong: boolean): void;
  }) {
    this._marked = options.marked;
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
        // Not over what is being typed, though it is the value that changes.
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
      if (!this._wrong) {
        this._input.value = this._value;
      }
    });
    this._say('');
  }

  readonly node: HTMLElement;

  /** Show a value, unless the person is about to type another one. */
  set(value: string): void {
    const other = value !== this._value;
    this._value = value;
    if (this._wrong && other && !this._applying) {
      this.reset();
    } else if (!this._wrong && document.activeElement !== this._input && this._input.value !== value) {
      this._input.value = value;
    }
  }

  /** Give up what was typed and is wrong. */
  reset(): void {
    if (this._wrong || document.activeElement !== this._input) {
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
    if (this._wrong !== (problem !== '')) {
      this._wrong = problem !== '';
      this._marked?.(this, this._wrong);
    }
    if (problem) {
      this._input.setAttribute('aria-invalid', 'true');
    } else {
      this._input.removeAttribute('aria-invalid');
    }
  }

  private readonly _input: HTMLInputElement;
  private readonly _problem: HTMLElement;
  private readonly _marked: ((field: TextField, wrong: boolean) => void) | undefined;
  private _value = '';
  private _wrong = false;
  private _applying = false;
}
