/** The text of the status line, from the labeller's state. No DOM here. */
import { absenceText } from '../state/absence-text';
import { Closed } from '../state/connection';
import { stageText } from '../state/job-stage';
import { LabellerState } from '../state/labeller-state';
import { SCALES } from '../state/suggestion-options';
import { SimilarObjects } from '../state/similar-objects';
import { IDecoderRoutes, RouteName, ROUTES } from '../state/suggestion-decoder';
import { nextStep } from './next-step';
import { trans } from '../base/translation';

/** Tells the user what to do after the kernel has gone. */
export function closedText(why: Closed): string {
  return why === 'stopped'
    ? trans.__('The kernel was shut down. Start one and run the cell again to continue.')
    : trans.__('The kernel was restarted. Run the cell again to continue.');
}

/** Tells the user that the sidecar was shut down. */
export function stoppedText(): string {
  return trans.__('The sidecar was stopped.');
}

export interface IStatusText {
  text: string;
  kind: 'plain' | 'busy' | 'error';
}

/** The most important message, with the state's notice before it unless it is an error. */
export function statusText(state: LabellerState): IStatusText {
  const status = mostImportant(state);
  return state.notice && status.kind !== 'error'
    ? { text: `${state.notice} ${status.text}`.trimEnd(), kind: status.kind }
    : status;
}

function mostImportant(state: LabellerState): IStatusText {
  const connection = state.connection.state;
  const parts = state.parts;
  const held = parts?.labels.queue.held;
  switch (connection.state) {
    case 'connecting':
      return { text: trans.__('Connecting to the kernel…'), kind: 'busy' };
    case 'lost':
      return { text: trans.__('The sidecar stopped; restarting…'), kind: 'busy' };
    case 'offline':
      return {
        text: trans.__('The kernel cannot be reached. What you label now waits here and is sent once it can.'),
        kind: 'busy'
      };
    case 'failed':
      return { text: connection.message, kind: 'error' };
    case 'stopped':
      return { text: stoppedText(), kind: 'plain' };
    case 'closed':
      return { text: closedText(connection.why), kind: 'error' };
    default:
  }
  if (held) {
    return { text: trans.__('Strokes are not saved yet: %1', held.message), kind: 'error' };
  }
  if (state.error) {
    return { text: state.error, kind: 'error' };
  }
  const training = state.training.state;
  if (training.state === 'running') {
    return { text: trans.__('Training: %1', stageText(training)), kind: 'busy' };
  }
  const live = state.live.state;
  if (live.state === 'working') {
    return { text: trans.__('Live: %1', stageText(live)), kind: 'busy' };
  }
  if (!state.session?.imageReady) {
    return { text: trans.__('Waiting for the image…'), kind: 'busy' };
  }
  if (state.large) {
    return { text: state.large, kind: 'plain' };
  }
  const told = parts?.guide.told;
  if (told) {
    return told;
  }
  const { slices: carriedTo } = state.carrying;
  if (carriedTo !== null) {
    return {
      text: trans.__('Carrying the object through the slices: on %1 more so far. Escape stops it.', carriedTo),
      kind: 'busy'
    };
  }
  if (parts && parts.direction !== 'xy') {
    // A notice takes its place: the line stays short.
    const where = state.notice ? null : trans.__('Slices in %1. SAM suggests on slices in xy.', parts.direction);
    return { text: [where, nextStep(state)].filter(Boolean).join(' '), kind: 'plain' };
  }
  if (parts && (parts.similar.searching !== null || parts.similar.count > 0)) {
    return similarText(parts.similar, state.slice);
  }
  if (parts?.suggestions.held) {
    return { text: heldText(state), kind: 'plain' };
  }
  const embedding = parts?.embedding.state;
  switch (embedding?.state) {
    case 'computing':
      return { text: trans.__('Preparing SAM for this image; all other tools work already…'), kind: 'busy' };
    case 'failed':
      return { text: trans.__('No suggestions: %1', embedding.message), kind: 'error' };
    case 'ready': {
      if (parts?.embedding.looking) {
        return { text: trans.__('SAM is looking at this region…'), kind: 'busy' };
      }
      const why = parts?.absent.why ?? null;
      if (why) {
        return { text: absenceText(why), kind: 'plain' };
      }
      const step = nextStep(state);
      const closer = parts?.embedding.closer ?? null;
      if (closer === null) {
        return { text: step ?? trans.__('SAM is ready, on %1', deviceName(state)), kind: 'plain' };
      }
      return { text: aheadText(state, step, Math.round(closer * 100)), kind: 'busy' };
    }
    default:
      return { text: '', kind: 'plain' };
  }
}

/** Tells what to do next, or else that SAM is ready, and how far SAM is with what it does ahead. */
function aheadText(state: LabellerState, step: string | null, percent: number): string {
  if (state.parts?.embedding.embedsSlices) {
    return step === null
      ? trans.__('SAM is ready, on %1; looking at all slices… %2 %', deviceName(state), percent)
      : trans.__('%1 SAM looks at all slices… %2 %', step, percent);
  }
  return step === null
    ? trans.__('SAM is ready, on %1; encoding details for the classifier… %2 %', deviceName(state), percent)
    : trans.__('%1 Encoding details for the classifier… %2 %', step, percent);
}

/** Tells how far the search for objects is, or what to do with those that are proposed; and where those are that are not on the slice that is shown. */
function similarText(similar: SimilarObjects, shown: number): IStatusText {
  const { count, searching, what, where, next, others: like } = similar;
  const isAll = what === 'everything';
  const further = similar.slices.filter(slice => slice !== shown);
  const elsewhere = count - (similar.on(shown)?.objects.length ?? 0);
  const [first, last] = [further[0], further[further.length - 1]];
  const places =
    further.length === 0
      ? ''
      : first === last
        ? trans.__(', %1 on slice %2', elsewhere, first)
        : trans.__(', %1 on other slices (%2 to %3)', elsewhere, first, last);
  if (searching !== null) {
    const percent = Math.round(100 * searching);
    const text = isAll
      ? trans.__('Looking for all objects in view: %1 so far (%2 %)…', count, percent)
      : where === 'view'
        ? trans.__('Looking for objects like this one: %1 so far (%2 %)…', count, percent)
        : where === 'slice'
          ? trans.__('Looking in the whole slice: %1 so far%2 (%3 %)…', count, places, percent)
          : trans.__('Looking in all slices: %1 so far%2 (%3 %)…', count, places, percent);
    const keys = count > 0 ? trans.__('Enter takes these, Escape ends it.') : trans.__('Escape ends it.');
    return { text: `${text} ${keys}`, kind: 'busy' };
  }
  const found = isAll
    ? count === 1
      ? trans.__('1 object is proposed%1.', places)
      : trans.__('%1 objects are proposed%2.', count, places)
    : like < count
      ? trans.__('This object and %1 like it are proposed%2.', like, places)
      : count === 1
        ? trans.__('1 object like it is proposed%1.', places)
        : trans.__('%1 objects like it are proposed%2.', count, places);
  const taken = trans.__('Enter takes all, a click drops one, Escape drops all.');
  const wider =
    next === 'slice'
      ? trans.__('Shift+A again looks in the whole slice.')
      : next === 'stack'
        ? trans.__('Shift+A again looks in all slices.')
        : '';
  return { text: `${found} ${taken} ${wider}`.trimEnd(), kind: 'plain' };
}

/** Tells what to do with a suggestion that is held. */
function heldText(state: LabellerState): string {
  return [turnedText(state), promptText(state)].join(' ').trim();
}

/** Tells at which scale it is shown, where the user has turned it. */
function turnedText({ parts }: LabellerState): string {
  switch (SCALES[parts?.suggestions.turned ?? SCALES.length]) {
    case 'small':
      return trans.__('This object is shown at the small scale (S).');
    case 'medium':
      return trans.__('This object is shown at the medium scale (M).');
    case 'large':
      return trans.__('This object is shown at the large scale (L).');
    default:
      return '';
  }
}

function promptText({ settings }: LabellerState): string {
  return settings.values.negativeClick === 'right'
    ? trans.__('Click what belongs to it, right-click what does not. Enter takes the suggestion, Escape drops it.')
    : trans.__('Click what belongs to it, Ctrl-click what does not. Enter takes the suggestion, Escape drops it.');
}

function deviceName(state: LabellerState): string {
  const embedding = state.parts?.embedding.state;
  if (embedding?.state !== 'ready') {
    return '';
  }
  const { provider, adapter } = embedding.device;
  const name = provider === 'cpu' ? trans.__('CPU') : provider === 'cuda' ? 'CUDA' : 'WebGPU';
  return adapter && provider !== 'cpu' ? `${name} (${adapter})` : name;
}

/** Tells where suggestions are decoded, and how long that takes. */
export function routeLines({ serving, medians, problems }: IDecoderRoutes): string[] {
  const place: Record<RouteName, string> = {
    page: trans.__('in this page'),
    sidecar: trans.__('in the sidecar'),
    gpu: trans.__("on the browser's GPU")
  };
  const time = (route: RouteName) => trans.__('%1 ms', Math.round(medians[route]!));
  const others = ROUTES.filter(route => route !== serving);
  const times = [
    ...(medians[serving] === null ? [] : [time(serving)]),
    ...others.filter(route => medians[route] !== null).map(route => trans.__('%1: %2', place[route], time(route)))
  ].join('; ');
  return [
    times
      ? trans.__('Suggestions are decoded %1 (%2)', place[serving], times)
      : trans.__('Suggestions are decoded %1', place[serving]),
    ...others.filter(route => problems[route]).map(route => trans.__('Not %1: %2', place[route], problems[route]!))
  ];
}
