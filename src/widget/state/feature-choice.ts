/** Single changes of a feature spec and of a forest's parameters, and what the panel says of them. No DOM. */
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

/** The named set that a spec equals, ignoring colour and range; null if there is none. */
export function namedSet(spec: FeatureSpec): string | null {
  const { color, range } = spec;
  return (
    Object.keys(FEATURE_SETS).find(set => featureKey(featureSpec({ set, color, range })) === featureKey(spec)) ?? null
  );
}

/** Whether a classifier has the chosen features. Ignores `range`, and `window` unless it was chosen: the image fills them in. */
export function sameFeatures(classifier: FeatureSpec, choice: FeatureSpec): boolean {
  const key = (spec: FeatureSpec) => {
    const { embedding } = spec;
    const window = choice.embedding?.window ?? null;
    const plain = embedding && { ...embedding, window: window === null ? null : embedding.window };
    return featureKey({ ...spec, range: null, embedding: plain });
  };
  return key(classifier) === key(choice);
}

/** The named set with a spec's colour and range. */
export function withSet({ color, range }: FeatureSpec, set: string): FeatureSpec {
  return featureSpec({ set, color, range });
}

/** A spec with a family, or without it if `parameters` is false. @throws BridgeError `invalid` */
export function withFamily(spec: FeatureSpec, family: string, parameters: FamilyParameters | false): FeatureSpec {
  const families: Record<string, unknown> = { ...spec.families };
  delete families[family];
  return featureSpec({ ...spec, families: parameters ? { ...families, [family]: parameters } : families });
}

/** A spec with another value of a family's parameter; undefined for the default. @throws BridgeError `invalid` */
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

/** The embedding's name among those of the families. */
export const EMBEDDING = 'embedding';

/** A spec with an embedding of these layers, or without an embedding. True takes the default model's default layers. */
export function withEmbedding(spec: FeatureSpec, layers: boolean | EmbeddingLayer[]): FeatureSpec {
  if (typeof layers === 'boolean') {
    return featureSpec({ ...spec, embedding: layers });
  }
  return featureSpec({ ...spec, embedding: { ...spec.embedding, layers } });
}

/** A spec with this number of components of a layer; 0 removes the layer. @throws BridgeError `invalid` */
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

/** A spec whose encoder sees squares of this side; null lets the image decide. @throws BridgeError `invalid` */
export function withWindow(spec: FeatureSpec, window: number | null): FeatureSpec {
  return featureSpec({ ...spec, embedding: { ...spec.embedding, window } });
}

/**
 * The number of channels of each family, for an image with `channels` channels. The key {@link EMBEDDING} has those of the embedding,
 * and '' the total, which includes the image itself.
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

/** The family of a channel of the stack; undefined for the image itself and for the embedding. */
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

/** The channels of the stack, grouped by colour for a colour image and then by family; the embedding comes last. */
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
        // The image itself has no family.
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

/** The embedding's title among those of the families. */
export function embeddingTitle(): string {
  return trans.__('What SAM sees');
}

/** A value of an image or a feature, to four digits. */
export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** A number of channels, in words. */
export function channelsText(count: number): string {
  return count === 1 ? trans.__('1 channel') : trans.__('%1 channels', count);
}

/** A number of trees, in words; boosting may stop early. */
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

/** Parse a text like "1, 2, 4". @throws BridgeError `invalid`, which quotes the part that is no number. */
export function parseNumbers(text: string): number[] {
  const parts = text.split(/[\s,;]+/).filter(part => part !== '');
  return parts.map(parseNumber);
}

/** Parse a number. @throws BridgeError `invalid` */
export function parseNumber(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(value)) {
    throw new BridgeError('invalid', `features is “${text}”; a number will do.`);
  }
  return value;
}

/** A forest as the panel shows it. */
export interface IForestChoice {
  preset: PresetName;
  params: LearnerParams;
  /** Whether a parameter differs from the preset. */
  changed: boolean;
}

const PRESETS = Object.keys(FOREST_PRESETS) as PresetName[];

/** The preset and the complete parameters of a request. Without a preset, the one that fits the parameters is found. */
export function forestChoice(request: ForestRequest): IForestChoice {
  const preset = request.preset ?? presetOf(request);
  const params = learnerParams({ ...request, preset });
  return { preset, params, changed: !sameLearner(params, FOREST_PRESETS[preset]) };
}

/** Whether two sets of parameters grow the same trees. */
export function sameLearner(a: LearnerParams, b: LearnerParams): boolean {
  const said = (params: object) => Object.entries(params).filter(([name, value]) => name !== 'refine' || value !== 0);
  const key = (params: object) => JSON.stringify(said(params).sort(([x], [y]) => (x < y ? -1 : 1)));
  return key(a) === key(b);
}

/** The preset that equals a request, else one that the request can be applied to, the default one if possible. */
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

/** A request with other parameters; parameters equal to the preset's are left out. @throws BridgeError `invalid` */
export function withForest(request: ForestRequest, values: ForestRequest): ForestRequest {
  const { preset, params } = forestChoice(request);
  const next = Object.entries(learnerParams({ ...valuesOf(params), ...values, preset }));
  const usual: Record<string, unknown> = { refine: 0, ...FOREST_PRESETS[preset] };
  return { preset, ...Object.fromEntries(next.filter(([name, value]) => value !== usual[name])) };
}

/** Parameters without `kind`, which a request gives by its preset. */
function valuesOf(params: LearnerParams): ForestRequest {
  return Object.fromEntries(Object.entries(params).filter(([name]) => name !== 'kind'));
}

/** An error's message, with the title that the panel shows in place of the value's path. */
export function problemWith(title: string, reason: unknown): string {
  const { message } = BridgeError.from(reason);
  return message.replace(/^(?:features|forest)(?:\.[\w.]+)?(?:: | is (?!not ))?/, `${title}: `);
}
