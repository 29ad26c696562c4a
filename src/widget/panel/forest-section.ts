/** The ensemble of trees that the next training grows: a preset, forest or boosting, and what differs from it. */
import {
  BoostingParams,
  FOREST_PRESETS,
  ForestParams,
  ForestRequest,
  isBoosting,
  PresetName,
  zBoostingParams,
  zForestParams
} from '../../shared';
import { button, element } from '../base/dom';
import { forestChoice, parseNumber, problemWith, withForest } from '../state/feature-choice';
import { CheckField, section, SelectField, TextField } from './fields';
import { ISection, ISectionOptions } from './section';
import { StateWidget } from './state-widget';
import { trans } from '../base/translation';

/** Titles of the presets. */
export function presetTitle(preset: PresetName): string {
  return preset === 'deep' ? trans.__('Deep') : preset === 'boosting' ? trans.__('Boosting') : 'SAMBA';
}

type NumberName = Exclude<keyof ForestParams | keyof BoostingParams, 'balanced' | 'kind'>;

/** A parameter as text: a number, or a word that stands for something else. */
interface IParameter {
  name: NumberName;
  label: string;
  title: string;
  unit?: string;
  minimum: number;
  maximum: number;
  /** Whether there is something between whole numbers; 0 itself may then not be allowed. */
  fraction?: { aboveZero: boolean };
  words?: readonly { text: string; value: null | 'sqrt' | 'all' }[];
}

/** The fields of forests, or those of boosting. */
interface IGroup {
  node: HTMLElement;
  fields: { parameter: IParameter; field: TextField }[];
}

export const forestSection: ISection = { place: 'middle', create: options => new ForestSection(options) };

export class ForestSection extends StateWidget {
  constructor({ state, invalid }: ISectionOptions) {
    super(state, ['features']);
    const heading = trans.__('Trees');
    this._marked = (field, wrong) => invalid.set(heading, field, wrong);
    invalid.changed.connect(() => {
      this._section.mark(invalid.sections.includes(heading));
      details.mark(invalid.sections.includes(heading));
    }, this);
    this._preset = new SelectField({
      testid: 'sambalab-forest-preset',
      label: trans.__('Preset'),
      title: trans.__(
        'SAMBA’s forest; fewer trees that are grown out: often more accurate, larger and slower; or small trees of which each corrects those before it'
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
      title: trans.__('Classes with few labelled pixels count as much as those with many'),
      choose: balanced => state.choice.setForest(withForest(state.choice.forest, { balanced }))
    });
    this._reset = button({
      testid: 'sambalab-forest-reset',
      title: trans.__('The parameters as the preset has them'),
      text: trans.__('Reset'),
      className: 'sambalab-quiet',
      run: () => {
        const { preset } = forestChoice(state.choice.forest);
        state.choice.setForest({ preset });
        this._dropWrong();
      }
    });
    const details = section({
      testid: 'sambalab-forest-parameters',
      className: 'sambalab-subsection',
      body: [
        this._groups.forest.node,
        this._groups.boosting.node,
        this._balanced.node,
        element('div', { class: 'sambalab-end-row' }, this._reset)
      ]
    });
    details.head(trans.__('Parameters'));
    this._section = section({ testid: 'sambalab-forest', body: [this._preset.node, details.node] });
    this.node.append(this._section.node);
    this.refresh();
  }

  protected override refresh(): void {
    const { preset, params, changed } = forestChoice(this._state.choice.forest);
    const title = presetTitle(preset);
    this._section.head(trans.__('Trees'), changed ? trans.__('%1, changed', title) : title);
    this._preset.set(preset);
    const shown = isBoosting(params) ? this._groups.boosting : this._groups.forest;
    for (const group of Object.values(this._groups)) {
      group.node.hidden = group !== shown;
    }
    const values: Record<string, unknown> = { ...params };
    for (const { parameter, field } of shown.fields) {
      const value = values[parameter.name];
      const word = parameter.words?.find(one => one.value === value);
      field.set(word ? word.text : String(value ?? 0)); // what a preset does not name is off
    }
    this._balanced.set(params.balanced);
  }

  /** Another preset, with what was changed of it when it was chosen last. */
  private _choosePreset(preset: PresetName): void {
    const { choice } = this._state;
    this._parked.set(forestChoice(choice.forest).preset, choice.forest);
    choice.setForest(this._parked.get(preset) ?? { preset });
    this._dropWrong();
  }

  private _dropWrong(): void {
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
      marked: this._marked
    });
  }

  private readonly _section: ReturnType<typeof section>;
  private readonly _preset: SelectField;
  private readonly _groups: Record<'forest' | 'boosting', IGroup>;
  private readonly _balanced: CheckField;
  private readonly _reset: HTMLButtonElement;
  private readonly _marked: (field: TextField, wrong: boolean) => void;
  /** What was changed of the presets that are not chosen now. */
  private readonly _parked = new Map<PresetName, ForestRequest>();
}

function fits({ minimum, maximum, fraction }: IParameter, value: number): boolean {
  const low = fraction?.aboveZero ? value > 0 : value >= minimum;
  return low && value <= maximum && (fraction !== undefined || Number.isInteger(value));
}

/** What a field takes, in words. */
function wantedText({ minimum, maximum, fraction, words = [] }: IParameter): string {
  const number = fraction?.aboveZero
    ? trans.__('a number above 0, %1 at most,', maximum)
    : fraction
      ? trans.__('a number from %1 to %2', minimum, maximum)
      : trans.__('a whole number from %1 to %2', minimum, maximum);
  return words.reduceRight((rest, { text }) => trans.__('“%1” or %2', text, rest), number);
}

function forestParameters(): IParameter[] {
  const { shape } = zForestParams;
  const [featuresMost] = shape.maxFeatures.options;
  return [
    {
      name: 'trees',
      label: trans.__('Trees'),
      title: trans.__('How many trees vote.'),
      minimum: 1,
      maximum: shape.trees.maxValue!
    },
    depth(shape.maxDepth.maxValue!),
    {
      name: 'maxFeatures',
      label: trans.__('Features a split'),
      title: trans.__('How many features are tried for each split; “sqrt” is the root of their number.'),
      minimum: 1,
      maximum: featuresMost.maxValue!,
      words: [SQRT]
    },
    leastInLeaf(shape.minLeaf.maxValue!),
    labelledPixels(),
    smoothing(shape.refine.unwrap().maxValue!),
    {
      name: 'seed',
      label: trans.__('Seed'),
      title: trans.__('The same seed grows the same forest.'),
      minimum: 0,
      maximum: shape.seed.maxValue!
    }
  ];
}

function boostingParameters(): IParameter[] {
  const { shape } = zBoostingParams;
  const [featuresMost] = shape.maxFeatures.options;
  return [
    {
      name: 'rounds',
      label: trans.__('Rounds'),
      title: trans.__('How many trees are grown at most, one after the other.'),
      minimum: 1,
      maximum: shape.rounds.maxValue!
    },
    {
      name: 'learningRate',
      label: trans.__('Learning rate'),
      title: trans.__('How much of its correction a tree may make: less needs more rounds.'),
      minimum: 0,
      maximum: shape.learningRate.maxValue!,
      fraction: { aboveZero: true }
    },
    {
      name: 'maxLeaves',
      label: trans.__('Leaves a tree'),
      title: trans.__('Leaves of a tree at most; the leaf whose split gains most is split next.'),
      minimum: shape.maxLeaves.minValue!,
      maximum: shape.maxLeaves.maxValue!
    },
    depth(shape.maxDepth.maxValue!),
    {
      name: 'maxFeatures',
      label: trans.__('Features a tree'),
      title: trans.__('How many features are tried for a tree; “sqrt” is the root of their number.'),
      minimum: 1,
      maximum: featuresMost.maxValue!,
      words: [{ text: trans.__('all'), value: 'all' }, SQRT]
    },
    leastInLeaf(shape.minLeaf.maxValue!),
    {
      name: 'l2',
      label: trans.__('Regularisation'),
      title: trans.__('Added to the second derivatives in a leaf: more keeps leaves of few pixels from large values.'),
      minimum: 0,
      maximum: shape.l2.maxValue!,
      fraction: { aboveZero: false }
    },
    labelledPixels(),
    smoothing(shape.refine.unwrap().maxValue!),
    {
      name: 'patience',
      label: trans.__('Patience'),
      title: trans.__(
        'Growing stops after so many rounds that held-out strokes do not get better by; “never” goes on.'
      ),
      minimum: 1,
      maximum: shape.patience.unwrap().maxValue!,
      words: [{ text: trans.__('never'), value: null }]
    },
    {
      name: 'seed',
      label: trans.__('Seed'),
      title: trans.__('The same seed grows the same trees.'),
      minimum: 0,
      maximum: shape.seed.maxValue!
    }
  ];
}

const SQRT = { text: 'sqrt', value: 'sqrt' } as const;

function depth(maximum: number): IParameter {
  return {
    name: 'maxDepth',
    label: trans.__('Depth'),
    title: trans.__('Splits one below the other at most.'),
    minimum: 1,
    maximum
  };
}

function leastInLeaf(maximum: number): IParameter {
  return {
    name: 'minLeaf',
    label: trans.__('Least in a leaf'),
    title: trans.__('A split leaves at least this many labelled pixels on either side.'),
    unit: trans.__('px'),
    minimum: 1,
    maximum
  };
}

function smoothing(maximum: number): IParameter {
  return {
    name: 'refine',
    label: trans.__('Smoothing'),
    title: trans.__('Radius within which probabilities are smoothed along the edges of the image; 0 for none.'),
    unit: trans.__('px'),
    minimum: 0,
    maximum
  };
}

function labelledPixels(): IParameter {
  return {
    name: 'maxSamples',
    label: trans.__('Labelled pixels'),
    title: trans.__('How many labelled pixels are learned from at most, drawn evenly from the classes.'),
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    words: [{ text: trans.__('all'), value: null }]
  };
}
