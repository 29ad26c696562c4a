/**
 * Windows to label first, before there are labels: representative ones, nearest to the centres of the largest groups of similar windows, and
 * unusual ones, far from all others.
 */
import { SuggestedRegion } from '../../../src/shared/protocol';
import { overlaps, SliceRect } from '../../../src/shared/rect';
import { clusters, distance, ICluster, IVectors, loneliness } from './clusters';

/** Least and most groups, if there are enough windows. */
const GROUPS = [4, 16] as const;
/** Number of nearest windows to which an unusual one is compared. */
const NEIGHBOURS = 3;
/** Distances below this part of the median count as this part: only synthetic images have windows of equal pixels. */
const SAME = 0.1;

/** The search: its windows and what to find. */
export interface ILandmarkRequest {
  places: readonly SliceRect[];
  /** What the windows look like in one way or several: one vector of each for each place. Groups are of the first. */
  views: readonly IVectors[];
  /** Size of a slice. */
  rows: number;
  columns: number;
  count: number;
}

/** Representative and unusual windows in turn, none of which overlap. */
export async function landmarks(request: ILandmarkRequest, signal: AbortSignal): Promise<SuggestedRegion[]> {
  const { places, count } = request;
  if (places.length === 0) {
    return [];
  }
  const most = Math.min(GROUPS[1], Math.max(GROUPS[0], Math.ceil(count / 2)));
  const groups = await clusters(request.views[0]!, most, signal);
  const found: SuggestedRegion[] = [];
  const fits = (i: number) =>
    isInside(request, places[i]!) &&
    !found.some(other => other.slice === places[i]!.slice && overlaps(other, places[i]!));
  const typical = typicalOnes(groups, places.length, fits);
  const unusual = unusualOnes(await lonelyViews(request, signal), fits);
  for (let turn = 0, dry = 0; found.length < count && dry < 2; turn++) {
    const [reason, next] =
      turn % 2 === 0 ? (['representative', typical()] as const) : (['unusual', unusual()] as const);
    dry = next ? 0 : dry + 1;
    if (next) {
      found.push({ ...places[next.place]!, reason, score: next.score });
    }
  }
  return found;
}

interface INext {
  place: number;
  score: number;
}

/** Gives the window next to the centre of each group that fits, the largest group first, then the next of each, and so on. */
function typicalOnes(groups: readonly ICluster[], all: number, fits: (place: number) => boolean) {
  const left = groups.map(({ members }) => ({ members: [...members], share: members.length / all }));
  return (): INext | undefined => {
    for (let group = left.shift(); group; group = left.shift()) {
      const at = group.members.findIndex(fits);
      if (at >= 0) {
        const { members, share } = group;
        left.push({ members: members.slice(at + 1), share });
        return { place: members[at]!, score: share };
      }
    }
    return undefined;
  };
}

/** Distances between windows in one view, divided by the mean distance to the nearest neighbours. */
interface ILonely {
  /** The distance of each window to its nearest neighbours. */
  lonely: Float64Array;
  /** The distance between two windows. */
  away(a: number, b: number): number;
}

/** The views, each in a unit of its own: the mean distance to the nearest neighbours. A view in which all windows are equal is left out. */
async function lonelyViews({ places, views }: ILandmarkRequest, signal: AbortSignal): Promise<ILonely[]> {
  const found: ILonely[] = [];
  for (const vectors of views) {
    const lonely = await loneliness(vectors, NEIGHBOURS, (a, b) => apart(places[a]!, places[b]!), signal);
    const unit = lonely.reduce((sum, value) => sum + value, 0) / lonely.length;
    if (unit > 0) {
      const away = (a: number, b: number) => Math.max(distance(vectors, a, b) / unit, SAME);
      found.push({ lonely: lonely.map(value => Math.max(value / unit, SAME)), away });
    }
  }
  return found;
}

/**
 * Gives the loneliest window, then the next that is far from all others and from the given ones, and so on. Scores are geometric means over all views,
 * so that a window which is unusual in one view only (image corners, for the encoder) does not come first.
 */
function unusualOnes(views: readonly ILonely[], fits: (place: number) => boolean) {
  const mean = (of: (view: ILonely) => number) => views.reduce((all, view) => all * of(view) ** (1 / views.length), 1);
  const scores = (views[0]?.lonely ?? new Float64Array()).map((_, place) => mean(({ lonely }) => lonely[place]!));
  return (): INext | undefined => {
    let best: INext | undefined;
    scores.forEach((score, place) => {
      if (score > (best?.score ?? 0) && fits(place)) {
        best = { place, score };
      }
    });
    if (best) {
      const { place: chosen } = best;
      scores.forEach(
        (score, place) =>
          (scores[place] = Math.min(
            score,
            mean(({ away }) => away(place, chosen))
          ))
      );
    }
    return best;
  };
}

/** Whether two windows are so far apart that their similarity means something: adjacent windows are always similar. */
function apart(a: SliceRect, b: SliceRect): boolean {
  const [height, width] = [a.row1 - a.row0, a.column1 - a.column0];
  return a.slice !== b.slice || Math.abs(a.row0 - b.row0) >= 2 * height || Math.abs(a.column0 - b.column0) >= 2 * width;
}

/** Whether a window is away from the image's edge, where encoder and filters behave differently. In images of a few windows all count. */
function isInside({ rows, columns }: ILandmarkRequest, place: SliceRect): boolean {
  const away = (from: number, to: number, length: number) => {
    const margin = length >= 4 * (to - from) ? (to - from) / 2 : 0;
    return from >= margin && to <= length - margin;
  };
  return away(place.row0, place.row1, rows) && away(place.column0, place.column1, columns);
}
