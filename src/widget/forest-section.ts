/** The forest that the next training grows: a preset, and what differs from it. */
import { ForestParams, zForestParams } from '../kernel-bridge';
import { forestChoice, IForestChoice, parseNumber, problemWith, withForest } from './feature-choice';
import { CheckField, Mistakes, section, SelectField, TextField } from './fields';
import { LabellerState } from './model';
import { StateWidget } from './state-widget';
import { trans } from './translation';

/** Titles of the presets. */
export function presetTitle(preset: IForestChoice['preset']): string {
  return preset === 'deep' ? trans.__('Deep') : 'SAMBA';
}

type NumberName = Exclude<keyof ForestParams, 'balanced'>;

/** A parameter as text: a number, or the word that stands for something else. */
interface IParameter {
  name: NumberName;
  label: string;
  title: string;
  unit?: string;
  minimum: number;
  maximum: number;
  word?: { text: string; value: null | 'sqrt' };
}

export class ForestSection extends StateWidget {
  constructor(state: LabellerState, mistakes = new Mistakes()) {
    super(state, ['features']);
    const heading = trans.__('Forest');
    this._marked = (field, wrong) => mistakes.set(heading, field, wrong);
    mistakes.changed.connect(() => {
      this._section.mark(mistakes.sections.includes(heading));
      details.mark(mistakes.sections.includes(heading));
    }, this);
    this._preset = new SelectField({
      testid: 'sambalab-forest-preset',
      label: trans.__('Preset'),
      title: trans.__('SAMBA’s forest, or fewer trees that are grown out: often more accurate, larger and slower'),
      choices: (['samba', 'deep'] as const).map(name => [name, presetTitle(name)] as const),
      choose: preset => {
        state.choice.setForest({ preset: preset as IForestChoice['preset'] });
        this._fields.forEach(({ field }) => field.reset());
      }
    });
    this._fields = parameters().map(parameter => ({ parameter, field: this._field(parameter) }));
    this._balanced = new CheckField({
      testid: 'sambalab-forest-balanced',
      label: trans.__('Balance the classes'),
      title: trans.__('Classes with few labelled pixels count as much as those with many'),
      choose: balanced => state.choice.setForest(withForest(state.choice.forest, { balanced }))
    });
    const details = section({
      testid: 'sambalab-forest-parameters',
      className: 'sambalab-subsection',
      body: [...this._fields.map(({ field }) => field.node), this._balanced.node]
    });
    details.head(trans.__('Parameters'));
    this._section = section({ testid: 'sambalab-forest', body: [this._preset.node, details.node] });
    this.node.append(this._section.node);
    this.refresh();
  }

  protected override refresh(): void {
    const { preset, params, changed } = forestChoice(this._state.choice.forest);
    const title = presetTitle(preset);
    this._section.head(trans.__('Forest'), changed ? trans.__('%1, changed', title) : title);
    this._preset.set(preset);
    for (const { parameter, field } of this._fields) {
      const value = params[parameter.name];
      field.set(typeof value === 'number' ? String(value) : parameter.word!.text);
    }
    this._balanced.set(params.balanced);
  }

  private _field({ name, label, title, unit, minimum, maximum, word }: IParameter): TextField {
    const { choice } = this._state;
    const wanted = trans.__('a whole number from %1 to %2', minimum, maximum);
    return new TextField({
      testid: `sambalab-forest-${name}`,
      label,
      title: word ? `${title} ${trans.__('“%1” or %2.', word.text, wanted)}` : title,
      ...(unit ? { unit } : {}),
      apply: text => {
        const value = word && text.trim() === word.text ? word.value : parseNumber(text);
        if (typeof value === 'number' && !(Number.isInteger(value) && value >= minimum && value <= maximum)) {
          throw new Error(
            `features is ${value}; ${word ? trans.__('“%1” or %2', word.text, wanted) : wanted} will do.`
          );
        }
        choice.setForest(withForest(choice.forest, { [name]: value }));
      },
      problem: reason => problemWith(label, reason),
      marked: this._marked
    });
  }

  private readonly _section: ReturnType<typeof section>;
  private readonly _preset: SelectField;
  private readonly _fields: { parameter: IParameter; field: TextField }[];
  private readonly _balanced: CheckField;
  private readonly _marked: (field: TextField, wrong: boolean) => void;
}

function parameters(): IParameter[] {
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
    {
      name: 'maxDepth',
      label: trans.__('Depth'),
      title: trans.__('Splits one below the other at most.'),
      minimum: 1,
      maximum: shape.maxDepth.maxValue!
    },
    {
      name: 'maxFeatures',
      label: trans.__('Features a split'),
      title: trans.__('How many features are tried for each split; “sqrt” is the root of their number.'),
      minimum: 1,
      maximum: featuresMost.maxValue!,
      word: { text: 'sqrt', value: 'sqrt' }
    },
    {
      name: 'minLeaf',
      label: trans.__('Least in a leaf'),
      title: trans.__('A split leaves at least this many labelled pixels on either side.'),
      unit: trans.__('px'),
      minimum: 1,
      maximum: shape.minLeaf.maxValue!
    },
    {
      name: 'maxSamples',
      label: trans.__('Labelled pixels'),
      title: trans.__('How many labelled pixels are learned from at most, drawn evenly from the classes.'),
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      word: { text: trans.__('all'), value: null }
    },
    {
      name: 'seed',
      label: trans.__('Seed'),
      title: trans.__('The same seed grows the same forest.'),
      minimum: 0,
      maximum: shape.seed.maxValue!
    }
  ];
}
