/** The rows of the features section: one for each family of filters, and one for the layers of SAM's encoder. */
import { DEFAULT_MODEL, EmbeddingSpec, FamilyParameters, FeatureSpec, IFamily } from '../../shared';
import { button, element, setText } from '../base/dom';
import { trans } from '../base/translation';
import {
  EMBEDDING,
  embeddingTitle,
  parseNumber,
  parseNumbers,
  problemWith,
  withEmbedding,
  withFamily,
  withLayer,
  withParameter,
  withWindow
} from '../state/feature-choice';
import { CheckField, TextField } from './fields';

/** What a row uses of its section. */
export interface IRowContext {
  /** The chosen spec. */
  spec(): FeatureSpec;
  choose(spec: FeatureSpec): void;
  /** Show why a choice was refused. */
  fail(reason: unknown): void;
  /** Report that a field became invalid, or valid again. */
  report(field: object, invalid: boolean): void;
}

interface IParameterField {
  name: string;
  field: TextField;
}

type Value = number | readonly number[] | null | undefined;

/** A row: a check box, the number of channels, and a button that shows the parameters below. */
export class FeatureRow {
  constructor(options: {
    name: string;
    label: string;
    title?: string;
    /** Text above the parameters. */
    heading?: string;
    fields: readonly IParameterField[];
    choose(checked: boolean): void;
  }) {
    const { name, label, title, heading, fields, choose } = options;
    this._fields = fields;
    this._check = new CheckField({
      testid: `sambalab-family-${name}`,
      label,
      ...(title ? { title } : {}),
      choose
    });
    this._count = element('span', { class: 'sambalab-family-count', title: trans.__('Channels') });
    const parametersOf = trans.__('Parameters of %1', label);
    this._parameters = element(
      'div',
      {
        id: `sambalab-parameters-${rows++}`,
        class: 'sambalab-parameters',
        role: 'group',
        'aria-label': parametersOf
      },
      ...(heading ? [element('div', { class: 'sambalab-field-label' }, heading)] : []),
      ...fields.map(({ field }) => field.node)
    );
    this._parameters.hidden = true;
    const line = element('div', { class: 'sambalab-family' }, this._check.node, this._count);
    if (fields.length > 0) {
      this._more = button({
        testid: `sambalab-more-${name}`,
        title: parametersOf,
        icon: 'sliders',
        className: 'sambalab-small',
        run: () => this._expand(!this._expanded)
      });
      this._more.setAttribute('aria-expanded', 'false');
      this._more.setAttribute('aria-controls', this._parameters.id);
      line.append(this._more);
    }
    this.nodes = [line, this._parameters];
  }

  readonly nodes: readonly HTMLElement[];

  /** Show the parameters' values and the number of channels; `null` if the row is not chosen. */
  show(chosen: { values: Readonly<Record<string, Value>>; channels: number } | null): void {
    this._check.set(chosen !== null);
    setText(this._count, chosen ? String(chosen.channels) : '');
    if (this._more) {
      this._more.hidden = !chosen;
    }
    this._parameters.hidden = !chosen || !this._expanded;
    for (const { name, field } of this._fields) {
      if (!chosen) {
        field.reset();
      }
      field.set(asText(chosen?.values[name]));
    }
  }

  /** Show a text in an empty field. */
  setPlaceholder(name: string, text: string): void {
    const found = this._fields.find(one => one.name === name);
    if (found) {
      found.field.placeholder = text;
    }
  }

  /** Discard invalid input. */
  reset(): void {
    this._fields.forEach(({ field }) => field.reset());
  }

  private _expand(expanded: boolean): void {
    this._expanded = expanded;
    this._more!.setAttribute('aria-expanded', String(expanded));
    this._parameters.hidden = !expanded || this._more!.hidden;
  }

  private readonly _fields: readonly IParameterField[];
  private readonly _check: CheckField;
  private readonly _count: HTMLElement;
  private readonly _parameters: HTMLElement;
  /** Undefined for a row without parameters. */
  private readonly _more: HTMLButtonElement | undefined;
  private _expanded = false;
}

/** The row of a family of filters. While the family is not chosen, the row remembers its parameters. */
export class FamilyRow {
  constructor(
    readonly family: IFamily,
    context: IRowContext
  ) {
    const { name, title } = family;
    const { spec, choose, report } = context;
    const fields = Object.entries(family.parameters ?? {}).map(([key, parameter]) => ({
      name: key,
      field: new TextField({
        testid: `sambalab-${name}-${key}`,
        label: parameter.title,
        title: trans.__('%1 to %2', parameter.minimum, parameter.maximum),
        unit: parameter.unit,
        list: parameter.list !== undefined,
        apply: text => {
          const value = parameter.list ? parseNumbers(text) : parseNumber(text);
          choose(withParameter(spec(), name, key, value));
        },
        problem: reason => problemWith(parameter.title, reason),
        report
      })
    }));
    if (family.loops.includes('sigmas')) {
      fields.push({
        name: 'sigmas',
        field: new TextField({
          testid: `sambalab-${name}-sigmas`,
          label: trans.__('Own scales'),
          title: trans.__('Scales for this family only; leave empty to use the scales above'),
          unit: trans.__('px'),
          list: true,
          apply: text => {
            const value = text.trim() === '' ? undefined : parseNumbers(text);
            choose(withParameter(spec(), name, 'sigmas', value));
          },
          problem: reason => problemWith(trans.__('Own scales'), reason),
          report
        })
      });
    }
    this._row = new FeatureRow({
      name,
      label: title,
      fields,
      choose: checked => {
        try {
          choose(withFamily(spec(), name, checked && (this._parked ?? {})));
        } catch (reason) {
          context.fail(reason);
        }
      }
    });
  }

  get nodes(): readonly HTMLElement[] {
    return this._row.nodes;
  }

  show(spec: FeatureSpec, channels: number | undefined): void {
    const values = spec.families[this.family.name];
    this._parked = values ?? this._parked;
    this._row.show(values ? { values, channels: channels ?? 0 } : null);
    this._row.setPlaceholder('sigmas', spec.sigmas.join(', '));
  }

  /** Forget the remembered parameters. */
  forget(): void {
    this._parked = null;
  }

  /** Discard invalid input. */
  reset(): void {
    this._row.reset();
  }

  private readonly _row: FeatureRow;
  private _parked: FamilyParameters | null = null;
}

/** The row of the encoder's output and inner layers. While none is chosen, the row remembers their numbers of components. */
export class EmbeddingRow {
  constructor({ spec, choose, report }: IRowContext) {
    const { layers, window: limits } = DEFAULT_MODEL.encoder;
    const lastFirst = Object.entries(layers).reverse();
    const fields = lastFirst.map(([layer, { title }]) => ({
      name: layer,
      field: new TextField({
        testid: `sambalab-${EMBEDDING}-${layer}`,
        label: title,
        title: trans.__('Number of components of this layer; 0 leaves the layer out'),
        apply: text => choose(withLayer(spec(), layer, parseNumber(text))),
        problem: reason => problemWith(title, reason),
        report
      })
    }));
    const window = new TextField({
      testid: `sambalab-${EMBEDDING}-window`,
      label: trans.__('Window'),
      title: trans.__(
        'Side of the square that the encoder takes at once, from %1 to %2; leave empty to fit it to the image',
        limits.minimum,
        limits.maximum
      ),
      unit: trans.__('px'),
      placeholder: trans.__('fits'),
      apply: text => choose(withWindow(spec(), text.trim() === '' ? null : parseNumber(text))),
      problem: reason => problemWith(trans.__('Window'), reason),
      report
    });
    this._row = new FeatureRow({
      name: EMBEDDING,
      label: embeddingTitle(),
      title: trans.__('The output and inner layers of SAM’s encoder at each pixel, reduced to a few components'),
      heading: trans.__('Components of the encoder’s layers'),
      fields: [...fields, { name: 'window', field: window }],
      choose: checked => {
        const last = checked ? this._parked : null;
        const next = withEmbedding(spec(), last ? last.layers : checked);
        choose(last ? withWindow(next, last.window) : next);
      }
    });
  }

  get nodes(): readonly HTMLElement[] {
    return this._row.nodes;
  }

  show({ embedding }: FeatureSpec, channels: number): void {
    this._parked = embedding ?? this._parked;
    if (!embedding) {
      this._row.show(null);
      return;
    }
    const components = (layer: string) => embedding.layers.find(one => one.layer === layer)?.components ?? 0;
    const layers = Object.keys(DEFAULT_MODEL.encoder.layers).map(layer => [layer, components(layer)] as const);
    this._row.show({ values: { ...Object.fromEntries(layers), window: embedding.window }, channels });
  }

  /** Forget the remembered layers. */
  forget(): void {
    this._parked = null;
  }

  /** Discard invalid input. */
  reset(): void {
    this._row.reset();
  }

  private readonly _row: FeatureRow;
  private _parked: EmbeddingSpec | null = null;
}

/** Counts rows, so that each has an id of its own. */
let rows = 0;

function asText(value: Value): string {
  return value === null || value === undefined ? '' : typeof value === 'number' ? String(value) : value.join(', ');
}
