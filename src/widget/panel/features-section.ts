/** The features that the next training uses: a named set, families, scales, parameters, colour. */
import {
  DEFAULT_MODEL,
  DEFAULT_SET,
  EmbeddingSpec,
  FamilyParameters,
  FEATURE_FAMILIES,
  FEATURE_SETS,
  featureSpec,
  FeatureSpec,
  IFamily,
  withRange
} from '../../shared';
import { button, element, setText } from '../base/dom';
import {
  channelCounts,
  channelsText,
  EMBEDDING,
  embeddingTitle,
  namedSet,
  parseNumber,
  parseNumbers,
  problemWith,
  shortNumber,
  withEmbedding,
  withFamily,
  withLayer,
  withParameter,
  withSet,
  withWindow
} from '../state/feature-choice';
import { CheckField, section, SelectField, TextField } from './fields';
import { ISection, ISectionOptions } from './section';
import { StateWidget } from './state-widget';
import { trans } from '../base/translation';

/** A family's line, with its parameters below. */
interface IRow {
  check: CheckField;
  count: HTMLElement;
  /** Opens the parameters; null where there are none. */
  more: HTMLButtonElement | null;
  parameters: HTMLElement;
  fields: { name: string; field: TextField }[];
}

interface IFamilyRow extends IRow {
  family: IFamily;
}

export const featuresSection: ISection = { place: 'middle', create: options => new FeaturesSection(options) };

export class FeaturesSection extends StateWidget {
  constructor({ state, invalid }: ISectionOptions) {
    super(state, ['features', 'session', 'status']);
    const heading = trans.__('Features');
    this._marked = (field, wrong) => invalid.set(heading, field, wrong);
    invalid.changed.connect(() => this._section.mark(invalid.sections.includes(heading)), this);
    this._set = new SelectField({
      testid: 'sambalab-feature-set',
      label: trans.__('Set'),
      title: trans.__('A named set of features to begin with'),
      choices: Object.entries(FEATURE_SETS).map(([name, { title }]) => [name, title] as const),
      choose: name => this._replace(withSet(this._spec, name))
    });
    this._sigmas = new TextField({
      testid: 'sambalab-sigmas',
      label: trans.__('Scales σ'),
      title: trans.__(
        'Standard deviations of Gaussians, radii of discs, distances of neighbours: ascending, in pixels'
      ),
      unit: trans.__('px'),
      list: true,
      apply: text => this._choose(featureSpec({ ...this._spec, sigmas: parseNumbers(text) })),
      problem: reason => problemWith(trans.__('Scales σ'), reason),
      marked: this._marked
    });
    this._sigmaScale = new TextField({
      testid: 'sambalab-sigma-scale',
      label: trans.__('Gaussians σ ×'),
      title: trans.__(
        'Standard deviation of the Gaussians that smooth, for each σ: 1, or 0.4 as Trainable Weka Segmentation has it'
      ),
      apply: text => this._choose(featureSpec({ ...this._spec, sigmaScale: parseNumber(text) })),
      problem: reason => problemWith(trans.__('Gaussians σ ×'), reason),
      marked: this._marked
    });
    this._color = new SelectField({
      testid: 'sambalab-color',
      label: trans.__('Colour'),
      title: trans.__('The features of each colour channel, or of the luminance alone'),
      choices: [
        ['channels', trans.__('Per channel')],
        ['luminance', trans.__('Luminance')]
      ],
      choose: color => this._choose(featureSpec({ ...this._spec, color }))
    });
    this._standardise = new CheckField({
      testid: 'sambalab-standardise',
      label: trans.__('Whatever brightness and contrast'),
      title: trans.__(
        'Pixels are taken by the mean and deviation of their image, so that images of other exposure look alike'
      ),
      choose: standardise => this._choose(featureSpec({ ...this._spec, standardise }))
    });
    this._rows = FEATURE_FAMILIES.map(family => this._row(family));
    this._seen = this._embeddingRow();
    this._sam = element('div', { class: 'sambalab-note', role: 'status', 'data-testid': 'sambalab-sam-note' });
    this._greys = element('div', { class: 'sambalab-note', 'data-testid': 'sambalab-greys' });
    this._error = element('div', { class: 'sambalab-problem', role: 'alert', 'data-kind': 'error' });
    const reset = button({
      testid: 'sambalab-features-reset',
      title: trans.__('The features as at the beginning'),
      text: trans.__('Reset'),
      className: 'sambalab-quiet',
      run: () => this._replace(withSet({ ...this._spec, color: 'channels', range: null }, DEFAULT_SET))
    });
    const families = element(
      'div',
      { class: 'sambalab-families', role: 'group', 'aria-label': trans.__('Families of features') },
      ...rowNodes(this._seen),
      this._sam,
      ...this._rows.flatMap(rowNodes)
    );
    this._section = section({
      testid: 'sambalab-features',
      body: [
        this._set.node,
        this._sigmas.node,
        this._sigmaScale.node,
        this._color.node,
        this._standardise.node,
        families,
        this._greys,
        this._error,
        element('div', { class: 'sambalab-end-row' }, reset)
      ]
    });
    this.node.append(this._section.node);
    this.refresh();
  }

  protected override refresh(): void {
    const spec = this._spec;
    const channels = this._state.session?.image.shape[3] ?? 1;
    const counts = channelCounts(spec, channels);
    const total = counts.get('')!;
    this._section.head(trans.__('Features'), channelsText(total));
    this._set.set(namedSet(spec), trans.__('Own choice'));
    this._sigmas.set(spec.sigmas.join(', '));
    this._sigmaScale.set(String(spec.sigmaScale));
    this._standardise.set(spec.standardise);
    this._color.set(spec.color);
    this._color.node.hidden = channels === 1;
    for (const { family, check, count, more, parameters, fields } of this._rows) {
      const chosen = spec.families[family.name];
      check.set(chosen !== undefined);
      setText(count, counts.has(family.name) ? String(counts.get(family.name)) : '');
      if (chosen) {
        this._parked.set(family.name, chosen);
      }
      if (more) {
        more.hidden = !chosen;
        parameters.hidden = !chosen || more.getAttribute('aria-expanded') !== 'true';
      }
      if (!chosen) {
        fields.forEach(({ field }) => field.reset());
      }
      for (const { name, field } of fields) {
        const value = chosen?.[name];
        field.set(value === undefined ? '' : typeof value === 'number' ? String(value) : value.join(', '));
        if (name === 'sigmas') {
          field.placeholder = spec.sigmas.join(', ');
        }
      }
    }
    this._refreshEmbedding(spec, counts.get(EMBEDDING)!);
    const greys = this._greyLevels();
    setText(this._greys, greys);
    this._greys.hidden = greys === '';
    setText(this._error, this._state.choice.error ?? '');
    this._error.hidden = this._state.choice.error === null;
  }

  private get _spec(): FeatureSpec {
    return this._state.choice.spec;
  }

  /** Which values of the image families of 256 grey levels go by: their parameters are in grey levels, not in these values. */
  private _greyLevels(): string {
    const image = this._state.session?.image;
    const titles = this._rows.filter(({ family }) => family.ranged && this._spec.families[family.name]);
    if (!image || titles.length === 0) {
      return '';
    }
    if (this._spec.standardise && !this._spec.range) {
      const names = titles.map(({ family }) => family.title).join(', ');
      return trans.__('Grey levels 0–255 are three deviations to each side of the image’s mean (%1).', names);
    }
    const [low, high] = withRange(this._spec, image).range ?? [0, 255];
    return trans.__(
      'Grey levels 0–255 are values from %1 to %2 (%3).',
      ...[shortNumber(low), shortNumber(high), titles.map(({ family }) => family.title).join(', ')]
    );
  }

  private _choose(spec: FeatureSpec): void {
    this._state.choice.setFeatures(spec);
  }

  /** Take a whole spec; what was typed and is wrong goes. */
  private _replace(spec: FeatureSpec): void {
    this._parked.clear();
    this._choose(spec);
    this.refresh();
    this._parkedLayers = null;
    const rows = [...this._rows, this._seen];
    [this._sigmas, this._sigmaScale, ...rows.flatMap(row => row.fields.map(({ field }) => field))].forEach(field =>
      field.reset()
    );
  }

  private _row(family: IFamily): IFamilyRow {
    const { name, title } = family;
    const check = new CheckField({
      testid: `sambalab-family-${name}`,
      label: title,
      choose: checked => {
        try {
          this._choose(withFamily(this._spec, name, checked && (this._parked.get(name) ?? {})));
        } catch (reason) {
          this.refresh();
          setText(this._error, problemWith(trans.__('These families'), reason));
          this._error.hidden = false;
        }
      }
    });
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
          this._choose(withParameter(this._spec, name, key, value));
        },
        problem: reason => problemWith(parameter.title, reason),
        marked: this._marked
      })
    }));
    if (family.loops.includes('sigmas')) {
      fields.push({
        name: 'sigmas',
        field: new TextField({
          testid: `sambalab-${name}-sigmas`,
          label: trans.__('Own scales'),
          title: trans.__('Scales of this family alone; empty for those above'),
          unit: trans.__('px'),
          list: true,
          apply: text => {
            const value = text.trim() === '' ? undefined : parseNumbers(text);
            this._choose(withParameter(this._spec, name, 'sigmas', value));
          },
          problem: reason => problemWith(trans.__('Own scales'), reason),
          marked: this._marked
        })
      });
    }
    const id = `sambalab-parameters-${rows++}`;
    const parameters = element(
      'div',
      { id, class: 'sambalab-parameters', role: 'group', 'aria-label': trans.__('Parameters of %1', title) },
      ...fields.map(({ field }) => field.node)
    );
    parameters.hidden = true;
    const count = element('span', { class: 'sambalab-family-count', title: trans.__('Channels') });
    return { family, check, count, more: fields.length > 0 ? this._more(name, title, id) : null, parameters, fields };
  }

  /** The encoder's line: what it sees is no family, but is chosen like one. */
  private _embeddingRow(): IRow {
    const title = embeddingTitle();
    const check = new CheckField({
      testid: `sambalab-family-${EMBEDDING}`,
      label: title,
      title: trans.__('What SAM’s encoder sees around each pixel, reduced to a few components'),
      choose: checked => {
        const last = checked ? this._parkedLayers : null;
        const spec = withEmbedding(this._spec, last ? last.layers : checked);
        this._choose(last ? withWindow(spec, last.window) : spec);
      }
    });
    const { layers, window: limits } = DEFAULT_MODEL.encoder;
    const lastFirst = Object.entries(layers).reverse();
    const fields = lastFirst.map(([layer, { title: label }]) => ({
      name: layer,
      field: new TextField({
        testid: `sambalab-${EMBEDDING}-${layer}`,
        label,
        title: trans.__('Components of this layer of the encoder; 0 for none'),
        apply: text => this._choose(withLayer(this._spec, layer, parseNumber(text))),
        problem: reason => problemWith(label, reason),
        marked: this._marked
      })
    }));
    const window = new TextField({
      testid: `sambalab-${EMBEDDING}-window`,
      label: trans.__('Window'),
      title: trans.__(
        'Side of the square that the encoder sees at once, from %1 to %2; empty for one that fits',
        limits.minimum,
        limits.maximum
      ),
      unit: trans.__('px'),
      placeholder: trans.__('fits'),
      apply: text => this._choose(withWindow(this._spec, text.trim() === '' ? null : parseNumber(text))),
      problem: reason => problemWith(trans.__('Window'), reason),
      marked: this._marked
    });
    fields.push({ name: 'window', field: window });
    const id = `sambalab-parameters-${rows++}`;
    const parameters = element(
      'div',
      { id, class: 'sambalab-parameters', role: 'group', 'aria-label': trans.__('Parameters of %1', title) },
      element('div', { class: 'sambalab-field-label' }, trans.__('Components of the encoder’s layers')),
      ...fields.map(({ field }) => field.node)
    );
    parameters.hidden = true;
    const count = element('span', { class: 'sambalab-family-count', title: trans.__('Channels') });
    return { check, count, more: this._more(EMBEDDING, title, id), parameters, fields };
  }

  private _refreshEmbedding({ embedding }: FeatureSpec, channels: number): void {
    const { check, count, more, parameters, fields } = this._seen;
    check.set(embedding !== null);
    setText(count, embedding ? String(channels) : '');
    more!.hidden = !embedding;
    parameters.hidden = !embedding || more!.getAttribute('aria-expanded') !== 'true';
    if (embedding) {
      this._parkedLayers = embedding;
    }
    for (const { name, field } of fields) {
      if (!embedding) {
        field.reset();
      }
      const value =
        name === 'window'
          ? embedding?.window
          : (embedding?.layers.find(({ layer }) => layer === name)?.components ?? 0);
      field.set(value === null || value === undefined ? '' : String(value));
    }
    const { text, kind } = embedding ? this._samText() : { text: '', kind: 'plain' };
    setText(this._sam, text);
    this._sam.dataset['kind'] = kind;
    this._sam.hidden = text === '';
  }

  /** Whether what SAM sees is there, and whether the classifier had it. */
  private _samText(): { text: string; kind: 'plain' | 'error' } {
    const { parts, session } = this._state;
    const state = parts?.embedding?.state;
    const classifier = session?.segmentation?.classifier;
    if (state?.state === 'failed') {
      return { text: trans.__('SAM failed, so trainings do without: %1', state.message), kind: 'error' };
    }
    if (state && state.state !== 'ready') {
      return { text: trans.__('SAM has not seen this image yet; Train waits for it.'), kind: 'plain' };
    }
    const without = classifier?.embedding === null && classifier.labelsVersion > 0;
    return { text: without ? (classifier.note ?? '') : '', kind: 'plain' };
  }

  private _more(name: string, title: string, id: string): HTMLButtonElement {
    const more = button({
      testid: `sambalab-more-${name}`,
      title: trans.__('Parameters of %1', title),
      icon: 'sliders',
      className: 'sambalab-small',
      run: () => {
        more.setAttribute('aria-expanded', String(more.getAttribute('aria-expanded') !== 'true'));
        this.refresh();
      }
    });
    more.setAttribute('aria-expanded', 'false');
    more.setAttribute('aria-controls', id);
    return more;
  }

  private readonly _section: ReturnType<typeof section>;
  private readonly _set: SelectField;
  private readonly _sigmas: TextField;
  private readonly _sigmaScale: TextField;
  private readonly _color: SelectField;
  private readonly _standardise: CheckField;
  private readonly _rows: IFamilyRow[];
  private readonly _seen: IRow;
  private readonly _sam: HTMLElement;
  private readonly _greys: HTMLElement;
  private readonly _error: HTMLElement;
  private readonly _marked: (field: TextField, wrong: boolean) => void;
  /** Parameters of families as they were last, for those that are chosen again. */
  private readonly _parked = new Map<string, FamilyParameters>();
  /** The same for the layers of the encoder. */
  private _parkedLayers: EmbeddingSpec | null = null;
}

let rows = 0;

function rowNodes({ check, count, more, parameters }: IRow): HTMLElement[] {
  return [element('div', { class: 'sambalab-family' }, check.node, count, ...(more ? [more] : [])), parameters];
}
