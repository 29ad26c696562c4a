/** Chooses the trees of the next training: a preset, forest or boosting, and changes to its parameters. */
import { FOREST_PRESETS, ForestRequest, isBoosting, PresetName } from '../../shared';
import { button, element } from '../base/dom';
import { trans } from '../base/translation';
import { forestChoice, parseNumber, problemWith, withForest } from '../state/feature-choice';
import { CheckField, Fold, SelectField, TextField } from './fields';
import { FoldingSection } from './folding-section';
import { boostingParameters, fits, forestParameters, IParameter, presetTitle, wantedText } from './forest-parameters';
import { ISection, ISectionOptions } from './section';

/** The fields of forests, or of boosting. */
interface IGroup {
  node: HTMLElement;
  fields: { parameter: IParameter; field: TextField }[];
}

export const forestSection: ISection = { place: 'middle', create: options => new ForestSection(options) };

export class ForestSection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({ ...options, testid: 'sambalab-forest', title: trans.__('Trees'), follows: ['features'] });
    const { state } = options;
    this._preset = new SelectField({
      testid: 'sambalab-forest-preset',
      label: trans.__('Preset'),
      title: trans.__(
        'SAMBA: SAMBA’s forest. Deep: fewer trees, fully grown; often more accurate, larger and slower. Boosting: small trees, each of which corrects those before it.'
      ),
      choices: (Object.keys(FOREST_PRESETS) as PresetName[]).map(name => [name, presetTitle(name)] as const),
      choose: preset => this._choosePreset(preset as PresetName)
    });
    this._groups = {
      forest: this._group('forest', forestParameters()),
      boosting: this._group('boosting', boostingParameters())
    };
    this._balanced = new CheckField({
      testid: 'sambalab-forest-balanced',
      label: trans.__('Balance the classes'),
      title: trans.__('Classes with few labelled pixels count as much as classes with many'),
      choose: balanced => state.choice.setForest(withForest(state.choice.forest, { balanced }))
    });
    const reset = button({
      testid: 'sambalab-forest-reset',
      title: trans.__('Return to the parameters of the preset'),
      text: trans.__('Reset'),
      className: 'sambalab-quiet',
      run: () => {
        const { preset } = forestChoice(state.choice.forest);
        state.choice.setForest({ preset });
        this._discardInvalid();
      }
    });
    this._parameters = new Fold({
      testid: 'sambalab-forest-parameters',
      title: trans.__('Parameters'),
      className: 'sambalab-subsection'
    });
    this._parameters.body.append(
      this._groups.forest.node,
      this._groups.boosting.node,
      this._balanced.node,
      element('div', { class: 'sambalab-end-row' }, reset)
    );
    this._fold.body.append(this._preset.node, this._parameters.node);
    this.refresh();
  }

  protected override refresh(): void {
    const { preset, params, changed } = forestChoice(this._state.choice.forest);
    const title = presetTitle(preset);
    this._fold.value = changed ? trans.__('%1, changed', title) : title;
    this._preset.set(preset);
    const shown = isBoosting(params) ? this._groups.boosting : this._groups.forest;
    for (const group of Object.values(this._groups)) {
      group.node.hidden = group !== shown;
    }
    const values: Record<string, unknown> = { ...params };
    for (const { parameter, field } of shown.fields) {
      const value = values[parameter.name];
      const word = parameter.words?.find(one => one.value === value);
      field.set(word ? word.text : String(value ?? 0)); // a parameter that the preset leaves out is 0
    }
    this._balanced.set(params.balanced);
  }

  protected override onInvalid(invalid: boolean): void {
    super.onInvalid(invalid);
    this._parameters.invalid = invalid;
  }

  /** Choose a preset, and restore the changes that the user made to it before. */
  private _choosePreset(preset: PresetName): void {
    const { choice } = this._state;
    this._parked.set(forestChoice(choice.forest).preset, choice.forest);
    choice.setForest(this._parked.get(preset) ?? { preset });
    this._discardInvalid();
  }

  private _discardInvalid(): void {
    Object.values(this._groups).forEach(({ fields }) => fields.forEach(({ field }) => field.reset()));
  }

  private _group(kind: 'forest' | 'boosting', parameters: IParameter[]): IGroup {
    const fields = parameters.map(parameter => ({ parameter, field: this._field(kind, parameter) }));
    const node = element('div', { class: 'sambalab-fields' }, ...fields.map(({ field }) => field.node));
    return { node, fields };
  }

  private _field(kind: string, parameter: IParameter): TextField {
    const { name, label, title, unit, words = [] } = parameter;
    const { choice } = this._state;
    const wanted = wantedText(parameter);
    return new TextField({
      testid: `sambalab-${kind}-${name}`,
      label,
      title: words.length > 0 ? `${title} ${trans.__('%1 will do.', wanted)}` : title,
      ...(unit ? { unit } : {}),
      apply: text => {
        const word = words.find(one => one.text === text.trim());
        const value = word ? word.value : parseNumber(text);
        if (typeof value === 'number' && !fits(parameter, value)) {
          throw new Error(`features is ${value}; ${trans.__('%1 will do.', wanted)}`);
        }
        choice.setForest(withForest(choice.forest, { [name]: value } as ForestRequest));
      },
      problem: reason => problemWith(label, reason),
      report: this.report
    });
  }

  private readonly _parameters: Fold;
  private readonly _preset: SelectField;
  private readonly _groups: Record<'forest' | 'boosting', IGroup>;
  private readonly _balanced: CheckField;
  /** Changes to the presets that are not chosen. */
  private readonly _parked = new Map<PresetName, ForestRequest>();
}
