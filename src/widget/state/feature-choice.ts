/** Changes of a feature spec and of a forest's parameters, as a person makes them one by one. No DOM here. */
import {
  BridgeError,
  DEFAULT_MODEL,
  DEFAULT_PRESET,
  EmbeddingLayer,
  embeddingNames,
  encoderLayers,
  FamilyParameters,
  FEATURE_FAMILIES,
  FEATURE_SETS,
  featureKey,
  featureOps,
  featureSpec,
  FeatureSpec,
  findModel,
  FOREST_PRESETS,
  ForestRequest,
  IFamily,
  isBoosting,
  LearnerParams,
  learnerParams,
  planesOf,
  PresetName
} from '../../shared';
import { trans } from '../base/translation';

/** The named set that a spec is, whatever its colour and range; null if it is none. */
export function namedSet(spec: FeatureSpec): string | null {
  const { color, range } = spec;
  return (
    Object.keys(FEATURE_SETS).find(set => featureKey(featureSpec({ set, color, range })) === featureKey(spec)) ?? null
  );
}

/** Whether a classifier sees what is chosen. What an image says where nobody chose is nobody's choice: range and window. */
export function sameFeatures(classifier: FeatureSpec, choice: FeatureSpec): boolean {
  const key = (spec: FeatureSpec) => {
    const { embedding } = spec;
    const window = choice.embedding?.window ?? null;
    const plain = embedding && { ...embedding, window: window === null ? null : embedding.window };
    return featureKey({ ...spec, range: null, embedding: plain });
  };
  return key(classifier) === key(choice);
}

/** A named set; colour and range stay as they are. */
export function withSet({ color, range }: FeatureSpec, set: string): FeatureSpec {
  return featureSpec({ set, color, range });
}

/** A spec with a family, or without it. `parameters` are checked; false takes the family away. */
export function withFamily(spec: FeatureSpec, family: string, parameters: FamilyParameters | false): FeatureSpec {
  const families: Record<string, unknown> = { ...spec.families };
  delete families[family];
  return featureSpec({ ...spec, families: parameters ? { ...families, [family]: parameters } : families });
}

/** A spec with another parameter of a family that it has; undefined for its default. */
export function withParameter(
  spec: FeatureSpec,
  family: string,
  name: string,
  value: number | number[] | undefined
): FeatureSpec {
  const parameters = { ...spec.families[family] };
  delete parameters[name];
  return withFamily(spec, family, value === undefined ? parameters : { ...parameters, [name]: value });
}

/** Name of what an encoder sees, where families have theirs. */
export const EMBEDDING = 'embedding';

/** A spec with an embedding of these layers, or without an embedding. True takes the default model's default layers. */
export function withEmbedding(spec: FeatureSpec, layers: boolean | EmbeddingLayer[]): FeatureSpec {
  if (typeof layers === 'boolean') {
    return featureSpec({ ...spec, embedding: layers });
  }
  return featureSpec({ ...spec, embedding: { ...spec.embedding, layers } });
}

/** A spec with so many components of a layer; 0 for none. @throws BridgeError `invalid` */
export function withLayer(spec: FeatureSpec, layer: string, components: number): FeatureSpec {
  const others = (spec.embedding?.layers ?? []).filter(item => item.layer !== layer);
  const all = [...others, ...(components === 0 ? [] : [{ layer, components }])];
  const encoderOrder = encoderLayers(findModel(spec.embedding?.model) ?? DEFAULT_MODEL);
  const order = (item: EmbeddingLayer) => encoderOrder.indexOf(item.layer);
  return withEmbedding(
    spec,
    all.sort((a, b) => order(a) - order(b))
  );
}

/** A spec whose encoder sees squares of this side; null for one that fits the image. @throws BridgeError `invalid` */
export function withWindow(spec: FeatureSpec, window: number | null): FeatureSpec {
  return featureSpec({ ...spec, embedding: { ...spec.embedding, window } });
}

/**
 * How many channels each family makes of an image with `channels` channels. The key '' has the sum, with the image itself and what an
 * encoder sees, which {@link EMBEDDING} has alone.
 */
export function channelCounts(spec: FeatureSpec, channels: number): Map<string, number> {
  const planes = planesOf(spec, channels);
  const counts = new Map([['', 0]]);
  for (const { family, names } of featureOps(spec)) {
    const add = names.length * planes;
    counts.set(family, (counts.get(family) ?? 0) + add);
    counts.set('', counts.get('')! + add);
  }
  const seen = embeddingNames(spec).length;
  counts.set(EMBEDDING, seen);
  counts.set('', counts.get('')! + seen);
  return counts;
}

/** The family that a channel of the stack is of; undefined for the image itself and for what an encoder sees. */
export function familyOf(spec: FeatureSpec, channels: number, channel: number): IFamily | undefined {
  const families = featureOps(spec).flatMap(({ family, names }) => names.map(() => family));
  const own = channel < families.length * planesOf(spec, channels) ? families[channel % families.length] : undefined;
  return FEATURE_FAMILIES.find(({ name }) => name === own);
}

/** Channels of a stack under a common title. */
export interface IChannelGroup {
  title: string;
  /** Numbers of the channels in the stack, ascending. */
  channels: number[];
}

/** The channels of the stack by family, and those of a colour image by colour before that; what an encoder sees comes last. */
export function channelGroups(spec: FeatureSpec, channels: number, colors: readonly string[]): IChannelGroup[] {
  const groups: IChannelGroup[] = [];
  const planes = planesOf(spec, channels);
  let channel = 0;
  for (let plane = 0; plane < planes; plane++) {
    const byFamily = new Map<string, IChannelGroup>();
    for (const { family, names } of featureOps(spec)) {
      let group = byFamily.get(family);
      if (!group) {
        const title = FEATURE_FAMILIES.find(({ name }) => name === family)?.title ?? '';
        // The image itself is of no family.
        const titles = planes === 1 ? [title] : [colors[plane] ?? String(plane), title];
        group = { title: titles.filter(part => part !== '').join(': '), channels: [] };
        byFamily.set(family, group);
        groups.push(group);
      }
      names.forEach(() => group.channels.push(channel++));
    }
  }
  const seen = embeddingNames(spec).map(() => channel++);
  return seen.length > 0 ? [...groups, { title: embeddingTitle(), channels: seen }] : groups;
}

/** What an encoder sees, as it is called among the families. */
export function embeddingTitle(): string {
  return trans.__('What SAM sees');
}

/** Four digits are enough to know a value of an image or a feature by. */
export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** So many channels. */
export function channelsText(count: number): string {
  return count === 1 ? trans.__('1 channel') : trans.__('%1 channels', count);
}

/** So many trees; boosting may stop before it has grown as many. */
export function treesText(params: LearnerParams): string {
  if (isBoosting(params)) {
    const { rounds } = params;
    if (params.patience === null) {
      return rounds === 1 ? trans.__('1 round') : trans.__('%1 rounds', rounds);
    }
    return rounds === 1 ? trans.__('1 round') : trans.__('up to %1 rounds', rounds);
  }
  return params.trees === 1 ? trans.__('1 tree') : trans.__('%1 trees', params.trees);
}

/** The numbers in a text like "1, 2, 4". @throws BridgeError `invalid` naming what is no number. */
export function parseNumbers(text: string): number[] {
  const parts = text.split(/[\s,;]+/).filter(part => part !== '');
  return parts.map(parseNumber);
}

/** The number that a text is. @throws BridgeError `invalid` if it is none. */
export function parseNumber(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(value)) {
    throw new BridgeError('invalid', `features is “${text}”; a number will do.`);
  }
  return value;
}

/** An ensemble of trees as a person sees it. */
export interface IForestChoice {
  preset: PresetName;
  params: LearnerParams;
  /** Whether something differs from the preset. */
  changed: boolean;
}

const PRESETS = Object.keys(FOREST_PRESETS) as PresetName[];

/** Which preset a request begins with, and what it comes to. Complete parameters without a preset are recognised. */
export function forestChoice(request: ForestRequest): IForestChoice {
  const preset = request.preset ?? presetOf(request);
  const params = learnerParams({ ...request, preset });
  return { preset, params, changed: !sameLearner(params, FOREST_PRESETS[preset]) };
}

/** Whether two ensembles are grown in the same way. */
export function sameLearner(a: LearnerParams, b: LearnerParams): boolean {
  const said = (params: object) => Object.entries(params).filter(([name, value]) => name !== 'refine' || value !== 0);
  const key = (params: object) => JSON.stringify(said(params).sort(([x], [y]) => (x < y ? -1 : 1)));
  return key(a) === key(b);
}

/** The preset that is what is asked for, else one that it can be put on top of: the default one if possible. */
function presetOf(request: ForestRequest): PresetName {
  const fitting = [DEFAULT_PRESET, ...PRESETS].filter(preset => {
    try {
      learnerParams({ ...request, preset });
      return true;
    } catch {
      return false;
    }
  });
  const equal = fitting.find(preset => sameLearner(learnerParams({ ...request, preset }), FOREST_PRESETS[preset]));
  return equal ?? fitting[0] ?? DEFAULT_PRESET;
}

/** A request with other parameters; those that are the preset's are left out. @throws BridgeError `invalid` */
export function withForest(request: ForestRequest, values: ForestRequest): ForestRequest {
  const { preset, params } = forestChoice(request);
  const next = Object.entries(learnerParams({ ...valuesOf(params), ...values, preset }));
  const usual: Record<string, unknown> = { refine: 0, ...FOREST_PRESETS[preset] };
  return { preset, ...Object.fromEntries(next.filter(([name, value]) => value !== usual[name])) };
}

/** Without what tells boosting from a forest, which a request says by its preset. */
function valuesOf(params: LearnerParams): ForestRequest {
  return Object.fromEntries(Object.entries(params).filter(([name]) => name !== 'kind'));
}

/** What is wrong with a value, after the title that the person sees in place of its path. */
export function problemWith(title: string, reason: unknown): string {
  const { message } = BridgeError.from(reason);
  return message.replace(/^(?:features|forest)(?:\.[\w.]+)?(?:: | is (?!not ))?/, `${title}: `);
}
