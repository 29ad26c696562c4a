/** The parameters of forests and of boosting that the forest section shows: label, tooltip, limits, words. */
import { BoostingParams, ForestParams, PresetName, zBoostingParams, zForestParams } from '../../shared';
import { trans } from '../base/translation';

/** Titles of the presets. */
export function presetTitle(preset: PresetName): string {
  return preset === 'deep' ? trans.__('Deep') : preset === 'boosting' ? trans.__('Boosting') : 'SAMBA';
}

type ParameterName = Exclude<keyof ForestParams | keyof BoostingParams, 'balanced' | 'kind'>;

/** A parameter that the user types: a number, or a word for a value that is not a number. */
export interface IParameter {
  name: ParameterName;
  label: string;
  title: string;
  unit?: string;
  minimum: number;
  maximum: number;
  /** Given if the number need not be whole. `aboveZero`: 0 itself is refused. */
  fraction?: { aboveZero: boolean };
  words?: readonly { text: string; value: null | 'sqrt' | 'all' }[];
}

export function fits({ minimum, maximum, fraction }: IParameter, value: number): boolean {
  const low = fraction?.aboveZero ? value > 0 : value >= minimum;
  return low && value <= maximum && (fraction !== undefined || Number.isInteger(value));
}

/** The values that a parameter takes, in words. */
export function wantedText({ minimum, maximum, fraction, words = [] }: IParameter): string {
  const number = fraction?.aboveZero
    ? trans.__('a number above 0, %1 at most,', maximum)
    : fraction
      ? trans.__('a number from %1 to %2', minimum, maximum)
      : trans.__('a whole number from %1 to %2', minimum, maximum);
  return words.reduceRight((rest, { text }) => trans.__('“%1” or %2', text, rest), number);
}

export function forestParameters(): IParameter[] {
  const { shape } = zForestParams;
  const [featuresMost] = shape.maxFeatures.options;
  return [
    {
      name: 'trees',
      label: trans.__('Trees'),
      title: trans.__('Number of trees that vote.'),
      minimum: 1,
      maximum: shape.trees.maxValue!
    },
    depth(shape.maxDepth.maxValue!),
    {
      name: 'maxFeatures',
      label: trans.__('Features per split'),
      title: trans.__('Number of features tried for each split; “sqrt” takes the square root of their number.'),
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

export function boostingParameters(): IParameter[] {
  const { shape } = zBoostingParams;
  const [featuresMost] = shape.maxFeatures.options;
  return [
    {
      name: 'rounds',
      label: trans.__('Rounds'),
      title: trans.__('Largest number of trees, grown one after the other.'),
      minimum: 1,
      maximum: shape.rounds.maxValue!
    },
    {
      name: 'learningRate',
      label: trans.__('Learning rate'),
      title: trans.__('Share of its correction that each tree makes; smaller values need more rounds.'),
      minimum: 0,
      maximum: shape.learningRate.maxValue!,
      fraction: { aboveZero: true }
    },
    {
      name: 'maxLeaves',
      label: trans.__('Leaves per tree'),
      title: trans.__('Largest number of leaves of a tree; the leaf whose split gains most is split next.'),
      minimum: shape.maxLeaves.minValue!,
      maximum: shape.maxLeaves.maxValue!
    },
    depth(shape.maxDepth.maxValue!),
    {
      name: 'maxFeatures',
      label: trans.__('Features per tree'),
      title: trans.__('Number of features tried for each tree; “sqrt” takes the square root of their number.'),
      minimum: 1,
      maximum: featuresMost.maxValue!,
      words: [{ text: trans.__('all'), value: 'all' }, SQRT]
    },
    leastInLeaf(shape.minLeaf.maxValue!),
    {
      name: 'l2',
      label: trans.__('Regularisation'),
      title: trans.__(
        'Added to the second derivatives in a leaf; larger values keep leaves of few pixels from large outputs.'
      ),
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
        'Training stops after this many rounds without a better score on held-out strokes; “never” trains all rounds.'
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
    title: trans.__('Largest number of splits from the root to a leaf.'),
    minimum: 1,
    maximum
  };
}

function leastInLeaf(maximum: number): IParameter {
  return {
    name: 'minLeaf',
    label: trans.__('Smallest leaf'),
    title: trans.__('Each leaf keeps at least this many labelled pixels.'),
    unit: trans.__('px'),
    minimum: 1,
    maximum
  };
}

function smoothing(maximum: number): IParameter {
  return {
    name: 'refine',
    label: trans.__('Smoothing'),
    title: trans.__('Radius within which probabilities are smoothed along the edges of the image; 0 smooths nothing.'),
    unit: trans.__('px'),
    minimum: 0,
    maximum
  };
}

function labelledPixels(): IParameter {
  return {
    name: 'maxSamples',
    label: trans.__('Labelled pixels'),
    title: trans.__('Largest number of labelled pixels to learn from, drawn evenly from the classes.'),
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    words: [{ text: trans.__('all'), value: null }]
  };
}
