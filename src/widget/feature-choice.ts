/** Changes of a feature spec and of a forest's parameters, as a person makes them one by one. No DOM here. */
import {
  BridgeError,
  FamilyParameters,
  FEATURE_FAMILIES,
  FEATURE_SETS,
  featureKey,
  featureOps,
  featureSpec,
  FeatureSpec,
  FOREST_PRESETS,
  ForestParams,
  forestParams,
  ForestRequest,
  IFamily,
  planesOf
} from '../kernel-bridge';
import { trans } from './translation';

/** The named set that a spec is, whatever its colour and range; null if it is none. */
export function namedSet(spec: FeatureSpec): string | null {
  const { color, range } = spec;
  return (
    Object.keys(FEATURE_SETS).find(set => featureKey(featureSpec({ set, color, range })) === featureKey(spec)) ?? null
  );
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

/** How many channels each family makes of an image with `channels` channels. The key '' has the sum, with the image itself. */
export function channelCounts(spec: FeatureSpec, channels: number): Map<string, number> {
  const planes = planesOf(spec, channels);
  const counts = new Map([['', 0]]);
  for (const { family, names } of featureOps(spec)) {
    const add = names.length * planes;
    counts.set(family, (counts.get(family) ?? 0) + add);
    counts.set('', counts.get('')! + add);
  }
  return counts;
}

/** The family that a channel of the stack is of; undefined for the image itself. */
export function familyOf(spec: FeatureSpec, channel: number): IFamily | undefined {
  const families = featureOps(spec).flatMap(({ family, names }) => names.map(() => family));
  return FEATURE_FAMILIES.find(({ name }) => name === families[channel % families.length]);
}

/** Channels of a stack under a common title. */
export interface IChannelGroup {
  title: string;
  /** Numbers of the channels in the stack, ascending. */
  channels: number[];
}

/** The channels of the stack by family, and those of a colour image by colour before that. */
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
  return groups;
}

/** Four digits are enough to know a value of an image or a feature by. */
export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** So many channels. */
export function channelsText(count: number): string {
  return count === 1 ? trans.__('1 channel') : trans.__('%1 channels', count);
}

/** So many trees. */
export function treesText(count: number): string {
  return count === 1 ? trans.__('1 tree') : trans.__('%1 trees', count);
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

/** A forest as a person sees it. */
export interface IForestChoice {
  preset: 'samba' | 'deep';
  params: ForestParams;
  /** Whether something differs from the preset. */
  changed: boolean;
}

/** Which preset a request begins with, and what it comes to. Complete parameters without a preset are recognised. */
export function forestChoice(request: ForestRequest): IForestChoice {
  const params = forestParams(request);
  const equal = (preset: ForestParams) => JSON.stringify(forestParams(preset)) === JSON.stringify(params);
  const known = (['samba', 'deep'] as const).find(name => equal(FOREST_PRESETS[name]));
  const preset = request.preset === 'deep' ? 'deep' : (known ?? 'samba');
  return { preset, params, changed: !equal(FOREST_PRESETS[preset]) };
}

/** A request with another parameter; those that are the preset's are left out. @throws BridgeError `invalid` */
export function withForest(request: ForestRequest, values: Partial<ForestParams>): ForestRequest {
  const { preset, params } = forestChoice(request);
  const next = Object.entries(forestParams({ ...params, ...values }));
  return {
    preset,
    ...Object.fromEntries(next.filter(([name, value]) => value !== FOREST_PRESETS[preset][name as keyof ForestParams]))
  };
}

/** What is wrong with a value, after the title that the person sees in place of its path. */
export function problemWith(title: string, reason: unknown): string {
  const { message } = BridgeError.from(reason);
  return message.replace(/^(?:features|forest)(?:\.[\w.]+)?(?:: | is (?!not ))?/, `${title}: `);
}
