/** Chooses the features of the next training: a named set, families, scales, parameters, colour. */
import { DEFAULT_SET, FEATURE_FAMILIES, FEATURE_SETS, featureSpec, FeatureSpec, withRange } from '../../shared';
import { button, element } from '../base/dom';
import { trans } from '../base/translation';
import {
  channelCounts,
  channelsText,
  EMBEDDING,
  namedSet,
  parseNumber,
  parseNumbers,
  problemWith,
  shortNumber,
  withSet
} from '../state/feature-choice';
import { EmbeddingRow, FamilyRow, IRowContext } from './feature-rows';
import { CheckField, Note, SelectField, TextField } from './fields';
import { FoldingSection } from './folding-section';
import { ISection, ISectionOptions } from './section';

export const featuresSection: ISection = { place: 'middle', create: options => new FeaturesSection(options) };

export class FeaturesSection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({
      ...options,
      testid: 'sambalab-features',
      title: trans.__('Features'),
      follows: ['features', 'session', 'status']
    });
    this._set = new SelectField({
      testid: 'sambalab-feature-set',
      label: trans.__('Set'),
      title: trans.__('A named set of features to start from'),
      choices: Object.entries(FEATURE_SETS).map(([name, { title }]) => [name, title] as const),
      choose: name => this._replace(withSet(this._spec, name))
    });
    this._sigmas = new TextField({
      testid: 'sambalab-sigmas',
      label: trans.__('Scales σ'),
      title: trans.__(
        'In pixels, ascending: standard deviations of Gaussians, radii of discs, distances of neighbours'
      ),
      unit: trans.__('px'),
      list: true,
      apply: text => this._choose(featureSpec({ ...this._spec, sigmas: parseNumbers(text) })),
      problem: reason => problemWith(trans.__('Scales σ'), reason),
      report: this.report
    });
    this._sigmaScale = new TextField({
      testid: 'sambalab-sigma-scale',
      label: trans.__('Gaussians σ ×'),
      title: trans.__(
        'Each σ times this number is the standard deviation of the smoothing Gaussian: 1, or 0.4 as in Trainable Weka Segmentation'
      ),
      apply: text => this._choose(featureSpec({ ...this._spec, sigmaScale: parseNumber(text) })),
      problem: reason => problemWith(trans.__('Gaussians σ ×'), reason),
      report: this.report
    });
    this._color = new SelectField({
      testid: 'sambalab-color',
      label: trans.__('Colour'),
      title: trans.__('Compute the features of each colour channel, or only of the luminance'),
      choices: [
        ['channels', trans.__('Per channel')],
        ['luminance', trans.__('Luminance')]
      ],
      choose: color => this._choose(featureSpec({ ...this._spec, color }))
    });
    this._standardise = new CheckField({
      testid: 'sambalab-standardise',
      label: trans.__('Standardise brightness and contrast'),
      title: trans.__(
        'Standardise pixels by the mean and standard deviation of their image, so that differently exposed images give similar features'
      ),
      choose: standardise => this._choose(featureSpec({ ...this._spec, standardise }))
    });
    const context: IRowContext = {
      spec: () => this._spec,
      choose: spec => this._choose(spec),
      fail: reason => {
        this.refresh();
        this._error.set(problemWith(trans.__('Families'), reason), 'error');
      },
      report: this.report
    };
    this._families = FEATURE_FAMILIES.map(family => new FamilyRow(family, context));
    this._embedding = new EmbeddingRow(context);
    const reset = button({
      testid: 'sambalab-features-reset',
      title: trans.__('Return to the default features'),
      text: trans.__('Reset'),
      className: 'sambalab-quiet',
      run: () => this._replace(withSet({ ...this._spec, color: 'channels', range: null }, DEFAULT_SET))
    });
    const rows = element(
      'div',
      { class: 'sambalab-families', role: 'group', 'aria-label': trans.__('Families of features') },
      ...this._embedding.nodes,
      this._sam.node,
      ...this._families.flatMap(({ nodes }) => nodes)
    );
    this._fold.body.append(
      this._set.node,
      this._sigmas.node,
      this._sigmaScale.node,
      this._color.node,
      this._standardise.node,
      rows,
      this._greys.node,
      this._error.node,
      element('div', { class: 'sambalab-end-row' }, reset)
    );
    this.refresh();
  }

  protected override refresh(): void {
    const spec = this._spec;
    const channels = this._state.session?.image.shape[3] ?? 1;
    const counts = channelCounts(spec, channels);
    this._fold.value = channelsText(counts.get('')!);
    this._set.set(namedSet(spec), trans.__('Own choice'));
    this._sigmas.set(spec.sigmas.join(', '));
    this._sigmaScale.set(String(spec.sigmaScale));
    this._standardise.set(spec.standardise);
    this._color.set(spec.color);
    this._color.node.hidden = channels === 1;
    this._families.forEach(row => row.show(spec, counts.get(row.family.name)));
    this._embedding.show(spec, counts.get(EMBEDDING)!);
    const { text, kind } = spec.embedding ? this._samText() : { text: '', kind: 'plain' as const };
    this._sam.set(text, kind);
    this._greys.set(this._greyLevels());
    this._error.set(this._state.choice.error ?? '', 'error');
  }

  private get _spec(): FeatureSpec {
    return this._state.choice.spec;
  }

  /** Says which values of the image the 256 grey levels cover; '' if no chosen family uses grey levels. */
  private _greyLevels(): string {
    const image = this._state.session?.image;
    const names = this._families
      .filter(({ family }) => family.ranged && this._spec.families[family.name])
      .map(({ family }) => family.title)
      .join(', ');
    if (!image || names === '') {
      return '';
    }
    if (this._spec.standardise && !this._spec.range) {
      return trans.__(
        'Grey levels 0–255 cover three standard deviations to each side of the image’s mean (%1).',
        names
      );
    }
    const [low, high] = withRange(this._spec, image).range ?? [0, 255];
    return trans.__('Grey levels 0–255 cover values from %1 to %2 (%3).', shortNumber(low), shortNumber(high), names);
  }

  private _choose(spec: FeatureSpec): void {
    this._state.choice.setFeatures(spec);
  }

  /** Choose a whole spec, and discard invalid input. */
  private _replace(spec: FeatureSpec): void {
    const rows = [this._embedding, ...this._families];
    rows.forEach(row => row.forget());
    this._choose(spec);
    this.refresh();
    [this._sigmas, this._sigmaScale, ...rows].forEach(field => field.reset());
  }

  /** Says that the embedding failed or is not ready, or why the classifier was trained without it. */
  private _samText(): { text: string; kind: 'plain' | 'error' } {
    const { parts, session } = this._state;
    const state = parts?.embedding?.state;
    const classifier = session?.segmentation?.classifier;
    if (state?.state === 'failed') {
      return { text: trans.__('SAM failed; trainings leave it out: %1', state.message), kind: 'error' };
    }
    if (state && state.state !== 'ready' && this._state.direction === 'xy') {
      return { text: trans.__('SAM’s embedding of this image is not ready yet; Train waits for it.'), kind: 'plain' };
    }
    const without = classifier?.embedding === null && classifier.labelsVersion > 0;
    return { text: without ? (classifier.note ?? '') : '', kind: 'plain' };
  }

  private readonly _set: SelectField;
  private readonly _sigmas: TextField;
  private readonly _sigmaScale: TextField;
  private readonly _color: SelectField;
  private readonly _standardise: CheckField;
  private readonly _families: readonly FamilyRow[];
  private readonly _embedding: EmbeddingRow;
  private readonly _sam = new Note({ testid: 'sambalab-sam-note', announced: true });
  private readonly _greys = new Note({ testid: 'sambalab-greys' });
  private readonly _error = new Note({ className: 'sambalab-problem', alert: true });
}
