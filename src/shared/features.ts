/**
 * The features that a classifier uses: the checked spec, the names, order and number of its channels, and the program that the engine's
 * kernels run. `features.json` is the one table of families; Python reads it too (`sambalab/spec/feature_table.py`).
 *
 * A spec names its families with their parameters. σ is in pixels: the standard deviation of a Gaussian times {@link FeatureSpec.sigmaScale},
 * the radius of a disc, the distance of a neighbour.
 */
import { BridgeError } from './errors';
import table from './features.json';
import { COMPONENTS_MAX, FEATURES_MAX, SIGMA_SCALE, SIGMAS } from './limits';
import { DEFAULT_MODEL, encoderLayers, findModel, MODELS } from './models';
import { FEATURE_SPEC_VERSION } from './versions';

/** A complete feature spec. A classifier keeps one. */
export type FeatureSpec = {
  version: typeof FEATURE_SPEC_VERSION;
  /** For images of three channels: the features of each channel, or of the luminance alone. */
  color: 'channels' | 'luminance';
  /** Scales in pixels, ascending, of all families without scales of their own. */
  sigmas: number[];
  /** Standard deviation of the Gaussians per σ, for those families that smooth: 1, or 0.4 as in Trainable Weka Segmentation. */
  sigmaScale: number;
  /** The values that families of 256 grey levels map to 0 and 255. Null: taken from the first image; until then 0 and 255. */
  range: [number, number] | null;
  /** Whether pixels are standardised by the image's mean and deviation (`engine/core/intensity.ts`), so that brightness and contrast do not matter. */
  standardise: boolean;
  families: Record<string, FamilyParameters>;
  /** The encoder's maps, whose channels follow those of the families; null for none. */
  embedding: EmbeddingSpec | null;
};

/** Layers of an encoder's output that are reduced to a few principal components each. */
export type EmbeddingSpec = {
  /** Id of the model (`src/shared/models`). */
  model: string;
  /**
   * Side in pixels of the square that fills the encoder's frame; larger images are encoded in several overlapping squares. Null until it is taken from an image
   * ({@link withImage}).
   */
  window: number | null;
  /** Views whose mean is taken: the image as it is and mirror images, so that trees learn what a place looks like, not where it is. */
  views: EmbeddingViews;
  layers: EmbeddingLayer[];
};

/** 1: the image as it is; 2: and turned by 180°; 4: and mirrored across and down. */
export const EMBEDDING_VIEWS = [1, 2, 4] as const;
export type EmbeddingViews = (typeof EMBEDDING_VIEWS)[number];
/** Those of specs that do not say. */
const USUAL_VIEWS: EmbeddingViews = 1;

/** One layer; an encoder's manifest has the names. */
export type EmbeddingLayer = { layer: string; components: number };

/** Parameters of one family; `sigmas` only if the family has scales of its own. */
export type FamilyParameters = Record<string, number | number[]>;

/** Limits of a number, or of the numbers in a list. */
interface INumberLimits {
  minimum: number;
  maximum: number;
  whole?: boolean;
  odd?: boolean;
  /** Name of a parameter that must be larger. */
  below?: string;
  /** Most numbers in the list; if absent, the parameter is a single number. */
  list?: number;
}

/** A parameter in the table of families. */
export interface IFamilyParameter extends INumberLimits {
  title: string;
  unit: string;
  default: number | number[];
}

/** A family in the table. */
export interface IFamily {
  name: string;
  title: string;
  /** Number of its kernel (`engine/assembly/families/index.ts`). */
  op: number;
  /** The parameters over which its channels are repeated, the outermost first. */
  loops: string[];
  channels: string[];
  /** Its channels stand beside those of other families with the same σ. */
  interleaved?: boolean;
  /** It also has a channel without smoothing, σ = 0. */
  unsmoothed?: boolean;
  /** Its σ are multiplied by `sigmaScale`. */
  scaled?: boolean;
  /** Works on 256 grey levels. */
  ranged?: boolean;
  kernels?: number[][];
  parameters?: Record<string, IFamilyParameter>;
}

/** A named set of families. */
export interface IFeatureSet {
  title: string;
  sigmas: number[];
  sigmaScale: number;
  standardise?: boolean;
  families: string[];
  /** Whether it has an embedding: the default model's default layers. */
  embedding?: boolean;
}

/** Channels that one kernel computes together. */
export interface IFeatureOp {
  family: string;
  op: number;
  args: number[];
  names: string[];
}

export const FEATURE_FAMILIES: readonly IFamily[] = table.families;
export const FEATURE_SETS: Readonly<Record<string, IFeatureSet>> = table.sets;
/** The default set. */
export const DEFAULT_SET: string = table.default;

/** Numbers in one instruction of a program: op and arguments. */
export const OP_NUMBERS = 8;

/** Names of the channels of an image with three. */
const COLORS = ['red', 'green', 'blue'];
const GENERAL = ['version', 'set', 'color', 'sigmas', 'sigmaScale', 'range', 'standardise', 'families', 'embedding'];

/**
 * Complete a spec. Missing fields come from the default set; a list of families without `embedding` has no embedding.
 *
 * @param partial any of the fields of {@link FeatureSpec}; `set`, a named set to begin with; and a family's name with true, false, or
 * its parameters, which adds it to the set, or takes it away. `families` takes the place of the set's.
 * @throws BridgeError `invalid`; the message names the wrong value and the valid ones
 */
export function featureSpec(partial: object = {}): FeatureSpec {
  const given = Object.fromEntries(Object.entries(partial).filter(([, value]) => value !== undefined));
  const known = [...GENERAL, ...FEATURE_FAMILIES.map(({ name }) => name)];
  const unknown = Object.keys(given).find(key => !known.includes(key));
  if (unknown !== undefined) {
    fail(unknown, 'is not known', known.join(', '));
  }
  const { version = FEATURE_SPEC_VERSION, color = 'channels', set: setName = DEFAULT_SET } = given;
  if (version !== FEATURE_SPEC_VERSION) {
    fail('version', show(version), String(FEATURE_SPEC_VERSION));
  }
  const set = typeof setName === 'string' && Object.hasOwn(FEATURE_SETS, setName) ? FEATURE_SETS[setName] : undefined;
  if (!set) {
    fail('set', show(setName), Object.keys(FEATURE_SETS).join(', '));
  }
  if (color !== 'channels' && color !== 'luminance') {
    fail('color', show(color), 'channels or luminance');
  }
  const { sigmaScale = set.sigmaScale } = given;
  const { standardise = given['families'] === undefined && set.standardise === true } = given;
  if (typeof standardise !== 'boolean') {
    fail('standardise', show(standardise), 'true or false');
  }
  const chosen: Record<string, unknown> = {};
  if (given['families'] === undefined) {
    set.families.forEach(name => (chosen[name] = {}));
  } else {
    Object.assign(chosen, record('families', given['families'], 'an object of its families'));
    const strange = Object.keys(chosen).find(name => !FEATURE_FAMILIES.some(family => family.name === name));
    if (strange !== undefined) {
      fail(`families.${strange}`, 'is not known', FEATURE_FAMILIES.map(({ name }) => name).join(', '));
    }
  }
  const families: FeatureSpec['families'] = {};
  for (const family of FEATURE_FAMILIES) {
    const own = given[family.name] ?? (Object.hasOwn(given, family.name) ? false : chosen[family.name]);
    if (own !== undefined && own !== false && own !== null) {
      families[family.name] = familyParameters(family, own === true ? {} : record(family.name, own));
    }
  }
  const spec: FeatureSpec = {
    version: FEATURE_SPEC_VERSION,
    color,
    sigmas: numbers('sigmas', given['sigmas'] ?? set.sigmas, SIGMAS),
    sigmaScale: number('sigmaScale', sigmaScale, SIGMA_SCALE),
    range: rangeOf(given['range'] ?? null),
    standardise,
    families,
    embedding: embeddingOf(given['embedding'], given['families'] === undefined ? set.embedding : undefined)
  };
  const count = featureOps(spec).reduce((sum, { names }) => sum + names.length, 0);
  if (count * COLORS.length > FEATURES_MAX) {
    fail('', `make ${count} channels`, `${Math.floor(FEATURES_MAX / COLORS.length)} at most`);
  }
  return spec;
}

/** The same spec with a range if it needs one: the values that are shown as black and white, or 0 and 255 for images of 8 bits. */
export function withRange(
  spec: FeatureSpec,
  image: { dtype: string; display: { low: number; high: number } }
): FeatureSpec {
  if (spec.range || spec.standardise || !needsRange(spec) || image.dtype === 'uint8') {
    return spec;
  }
  const { low, high } = image.display;
  return { ...spec, range: [low, high > low ? high : low + 1] };
}

/**
 * The same spec with the fields that an image determines: its range, and the encoder's window. The window is the image's longest side if the
 * model allows it; then one run of the encoder serves SAM's prompts and the classifier.
 */
export function withImage(
  spec: FeatureSpec,
  image: { dtype: string; display: { low: number; high: number }; shape: readonly number[] }
): FeatureSpec {
  const ranged = withRange(spec, image);
  if (!ranged.embedding || ranged.embedding.window !== null) {
    return ranged;
  }
  const longest = Math.max(image.shape[1]!, image.shape[2]!);
  const { minimum, maximum } = windowLimits(ranged.embedding.model);
  const window = Math.min(maximum, Math.max(minimum, longest));
  return { ...ranged, embedding: { ...ranged.embedding, window } };
}

/** The same embedding in one view, which is made sooner; none if it is of one view. */
export function inOneView(embedding: EmbeddingSpec): EmbeddingSpec[] {
  return embedding.views > 1 ? [{ ...embedding, views: 1 }] : [];
}

/** The same spec without the embedding. */
export function withoutEmbedding(spec: FeatureSpec): FeatureSpec {
  return { ...spec, embedding: null };
}

/** Names of the encoder's channels, in the order of the layers. */
export function embeddingNames({ embedding }: FeatureSpec): string[] {
  return (embedding?.layers ?? []).flatMap(({ layer, components }) =>
    Array.from({ length: components }, (_, i) => `SAM ${layer === 'output' ? '' : `${layer} `}${i + 1}`)
  );
}

/** Whether a family works on 256 grey levels. */
export function needsRange(spec: FeatureSpec): boolean {
  return FEATURE_FAMILIES.some(({ name, ranged }) => ranged && Object.hasOwn(spec.families, name));
}

/** The features of one image channel, in the order of the stack. */
export function featureOps(spec: FeatureSpec): IFeatureOp[] {
  const ops: IFeatureOp[] = [{ family: 'original', op: 0, args: [], names: ['original'] }];
  const chosen = FEATURE_FAMILIES.filter(({ name }) => Object.hasOwn(spec.families, name));
  const interleaved = chosen.filter(family => family.interleaved);
  const scales = new Set<number>();
  for (const family of interleaved) {
    sigmasOf(spec, family).forEach(sigma => scales.add(sigma));
  }
  for (const sigma of [...scales].sort((a, b) => a - b)) {
    for (const family of interleaved.filter(each => sigmasOf(spec, each).includes(sigma))) {
      ops.push(opOf(spec, family, { sigmas: sigma }));
    }
  }
  for (const family of chosen.filter(each => !each.interleaved)) {
    for (const values of loopValues(spec, family)) {
      ops.push(opOf(spec, family, values));
    }
  }
  return ops;
}

/** Names of the channels of the feature stack of an image with `channels` channels: those of the families, then the encoder's. */
export function featureNames(spec: FeatureSpec, channels: number): string[] {
  return [...familyNames(spec, channels), ...embeddingNames(spec)];
}

/** Names of the channels that the families give. */
export function familyNames(spec: FeatureSpec, channels: number): string[] {
  const names = featureOps(spec).flatMap(op => op.names);
  if (planesOf(spec, channels) === 1) {
    return names;
  }
  return Array.from({ length: channels }, (_, i) => COLORS[i] ?? `channel ${i}`).flatMap(color =>
    names.map(name => `${color}: ${name}`)
  );
}

/** Planes of an image whose features are computed: its channels, or one. */
export function planesOf(spec: FeatureSpec, channels: number): number {
  return spec.color === 'luminance' ? 1 : channels;
}

/** The program that the kernels run on each plane: {@link OP_NUMBERS} numbers an op. */
export function featureProgram(spec: FeatureSpec): Float64Array {
  const ops = featureOps(spec);
  const program = new Float64Array(ops.length * OP_NUMBERS);
  ops.forEach(({ op, args }, i) => program.set([op, ...args], i * OP_NUMBERS));
  return program;
}

/** A key for cached features: the same text for equal specs. */
export function featureKey(spec: FeatureSpec): string {
  return JSON.stringify(spec);
}

function sigmasOf(spec: FeatureSpec, family: IFamily): number[] {
  const own = (spec.families[family.name]!['sigmas'] as number[] | undefined) ?? spec.sigmas;
  return family.unsmoothed ? [0, ...own] : own;
}

/** Values of the loops of a family, one record for each time its kernel runs. */
function loopValues(spec: FeatureSpec, family: IFamily): Record<string, number>[] {
  if (family.kernels) {
    return family.kernels.map(kernel => Object.fromEntries(kernel.map((value, i) => [String(i), value])));
  }
  if (family.loops.join() === 'sigmas,sigmas') {
    const sigmas = sigmasOf(spec, family);
    return sigmas.flatMap((small, i) => sigmas.slice(i + 1).map(large => ({ small, large })));
  }
  let all: Record<string, number>[] = [{}];
  for (const loop of family.loops) {
    const values = loop === 'sigmas' ? sigmasOf(spec, family) : (spec.families[family.name]![loop] as number[]);
    all = all.flatMap(record => values.map(value => ({ ...record, [loop]: value })));
  }
  return all;
}

/** Arguments are the loops' values, then the parameters that are single numbers, in the table's order. */
function opOf(spec: FeatureSpec, family: IFamily, values: Record<string, number>): IFeatureOp {
  const scale = family.scaled ? spec.sigmaScale : 1;
  const singles = Object.keys(family.parameters ?? {}).filter(name => !family.loops.includes(name));
  const parameters = spec.families[family.name]!;
  return {
    family: family.name,
    op: family.op,
    args: [...Object.values(values).map(value => value * scale), ...singles.map(name => parameters[name] as number)],
    names: family.channels.map(channel => channel.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name])))
  };
}

function familyParameters(family: IFamily, given: Record<string, unknown>): FamilyParameters {
  const table = family.parameters ?? {};
  const known = [...Object.keys(table), ...(family.loops.includes('sigmas') ? ['sigmas'] : [])];
  const unknown = Object.keys(given).find(key => !known.includes(key));
  if (unknown !== undefined) {
    fail(`${family.name}.${unknown}`, 'is not known', known.join(', ') || 'no parameter');
  }
  const out: FamilyParameters = {};
  for (const [name, parameter] of Object.entries(table)) {
    const value = given[name] ?? parameter.default;
    const path = `${family.name}.${name}`;
    out[name] = parameter.list ? numbers(path, value, parameter) : number(path, value, parameter);
  }
  for (const [name, { below }] of Object.entries(table)) {
    if (below && !(out[name]! < out[below]!)) {
      fail(`${family.name}.${name}`, show(out[name]), `a number below ${below}, ${String(out[below])},`);
    }
  }
  if (given['sigmas'] !== undefined && given['sigmas'] !== null) {
    out['sigmas'] = numbers(`${family.name}.sigmas`, given['sigmas'], SIGMAS);
  }
  return out;
}

function number(path: string, value: unknown, parameter: INumberLimits): number {
  const { minimum, maximum, whole, odd } = parameter;
  const fits = isNumber(value) && value >= minimum && value <= maximum;
  if (!fits || (whole && !Number.isInteger(value)) || (odd && value % 2 !== 1)) {
    const kind = odd ? 'an odd number' : whole ? 'a whole number' : 'a number';
    fail(path, show(value), `${kind} from ${minimum} to ${maximum}`);
  }
  return value;
}

function numbers(path: string, value: unknown, parameter: INumberLimits): number[] {
  const most = parameter.list!;
  if (!Array.isArray(value) || value.length < 1 || value.length > most) {
    fail(path, show(value), `a list of 1 to ${most} numbers`);
  }
  const list = value.map((item, i) => number(`${path}.${i}`, item, parameter));
  if (list.some((item, i) => i > 0 && item <= list[i - 1]!)) {
    fail(path, show(list), 'numbers that ascend');
  }
  return list;
}

function rangeOf(value: unknown): [number, number] | null {
  if (value === null) {
    return null;
  }
  const [low, high] = Array.isArray(value) && value.length === 2 ? (value as unknown[]) : [];
  if (!isNumber(low) || !isNumber(high) || !(low < high)) {
    fail('range', show(value), 'two numbers, the second above the first, or null');
  }
  return [low, high];
}

/** Names of the layers that a spec may name: those of its model, or of any if its model is not known here. */
function layerNames(model: string): string[] {
  const found = findModel(model);
  return [...new Set((found ? [found] : MODELS).flatMap(encoderLayers))];
}

function windowLimits(model: string): { minimum: number; maximum: number } {
  return (findModel(model) ?? DEFAULT_MODEL).encoder.window;
}

/**
 * @param value what was given: absent, false or null, true, or fields of an {@link EmbeddingSpec}
 * @param usual whether there is an embedding if nothing was given
 */
function embeddingOf(value: unknown, usual = false): EmbeddingSpec | null {
  if (value === null || value === false || (value === undefined && !usual)) {
    return null;
  }
  const given = value === undefined || value === true ? {} : record('embedding', value);
  const unknown = Object.keys(given).find(key => !['model', 'window', 'views', 'layers'].includes(key));
  if (unknown !== undefined) {
    fail(`embedding.${unknown}`, 'is not known', 'model, window, views, layers');
  }
  const { model = DEFAULT_MODEL.id, window = null, views = USUAL_VIEWS } = given;
  if (typeof model !== 'string' || model.length < 1 || model.length > 100) {
    fail('embedding.model', show(model), 'the name of a model');
  }
  const known =
    EMBEDDING_VIEWS.find(each => each === views) ?? fail('embedding.views', show(views), EMBEDDING_VIEWS.join(', '));
  const names = layerNames(model);
  const { layers: list = (findModel(model) ?? DEFAULT_MODEL).encoder.defaultLayers } = given;
  const pixels = { whole: true, ...windowLimits(model) };
  const side = window === null ? null : number('embedding.window', window, pixels);
  if (!Array.isArray(list) || list.length < 1 || list.length > names.length) {
    fail('embedding.layers', show(list), `a list of 1 to ${names.length} layers`);
  }
  const checked = (list as unknown[]).map((item, i): EmbeddingLayer => {
    const path = `embedding.layers.${i}`;
    const { layer, components, ...more } = record(path, item, 'an object with layer and components');
    if (!names.includes(layer as string) || Object.keys(more).length > 0) {
      fail(`${path}.layer`, show(layer), names.join(', '));
    }
    const most = { whole: true, minimum: 1, maximum: COMPONENTS_MAX };
    return { layer: layer as string, components: number(`${path}.components`, components, most) };
  });
  if (new Set(checked.map(({ layer }) => layer)).size !== checked.length) {
    fail('embedding.layers', show(list), 'each layer once');
  }
  return { model, window: side, views: known, layers: checked };
}

function record(
  path: string,
  value: unknown,
  wanted = 'true, false, or an object of its parameters'
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail(path, show(value), wanted);
  }
  return value as Record<string, unknown>;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function show(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return `is ${text.length > 80 ? `${text.slice(0, 77)}…` : text}`;
}

function fail(path: string, what: string, wanted: string): never {
  throw new BridgeError('invalid', `features${path ? `.${path}` : ''} ${what}; ${wanted} will do.`);
}
