/**
 * Windows to begin with, before anything is labelled: representative ones, which are next to the centres of the largest groups of alike windows, and
 * unusual ones, which are far from all others.
 */
import { SuggestedRegion } from '../../src/kernel-bridge/protocol';
import { clusters, IVectors, loneliness } from './clusters';
import { IPlace } from './window-vectors';
import { overlap } from './windows';

/** Groups at least and at most, if there are so many windows. */
const GROUPS = [4, 16] as const;
/** Windows that an unusual one is compared with. */
const NEIGHBOURS = 3;

/** What is looked for, and among what. */
export interface ILandmarkRequest {
  places: readonly IPlace[];
  /** One for each place. */
  vectors: IVectors;
  /** Size of a slice. */
  rows: number;
  columns: number;
  count: number;
}

/** Representative and unusual windows in turn, none of which overlap. */
export async function landmarks(request: ILandmarkRequest, signal: AbortSignal): Promise<SuggestedRegion[]> {
  const { places, vectors, count } = request;
  if (places.length === 0) {
    return [];
  }
  const groups = await clusters(vectors, Math.min(GROUPS[1], Math.max(GROUPS[0], Math.ceil(count / 2))), signal);
  const lonely = await loneliness(vectors, NEIGHBOURS, (a, b) => apart(places[a]!, places[b]!), signal);
  const found: SuggestedRegion[] = [];
  const free = (place: IPlace) => !found.some(other => other.slice === place.slice && overlap(other, place));

  const typical = inTurn(groups.map(({ members }) => members));
  const shareOf = new Map(groups.flatMap(({ members }) => members.map(i => [i, members.length / places.length])));
  const unusual = [...lonely.keys()]
    .filter(i => lonely[i]! > 0 && isInside(request, places[i]!))
    .sort((a, b) => lonely[b]! - lonely[a]! || a - b)
    .values();
  const sources = [
    { reason: 'representative', order: typical, score: (i: number) => shareOf.get(i)! },
    { reason: 'unusual', order: unusual, score: (i: number) => lonely[i]! }
  ] as const;
  for (let turn = 0, dry = 0; found.length < count && dry < sources.length; turn++) {
    const { reason, order, score } = sources[turn % sources.length]!;
    let next = order.next();
    while (!next.done && !free(places[next.value]!)) {
      next = order.next();
    }
    if (next.done) {
      dry++;
    } else {
      dry = 0;
      found.push({ ...places[next.value]!, reason, score: score(next.value) });
    }
  }
  return found;
}

/** The first of each list, then the second of each, and so on. */
function* inTurn(lists: readonly (readonly number[])[]): Generator<number, undefined> {
  const longest = Math.max(...lists.map(({ length }) => length));
  for (let i = 0; i < longest; i++) {
    for (const list of lists) {
      if (i < list.length) {
        yield list[i]!;
      }
    }
  }
  return undefined;
}

/** Whether windows are so far from each other that what is alike in them says something: their own neighbours are always like them. */
function apart(a: IPlace, b: IPlace): boolean {
  const [height, width] = [a.row1 - a.row0, a.column1 - a.column0];
  return a.slice !== b.slice || Math.abs(a.row0 - b.row0) >= 2 * height || Math.abs(a.column0 - b.column0) >= 2 * width;
}

/** Whether a window is away from the edge, where encoder and filters see something else; in images of a few windows all are. */
function isInside({ rows, columns }: ILandmarkRequest, place: IPlace): boolean {
  const away = (from: number, to: number, length: number) => {
    const margin = length >= 4 * (to - from) ? (to - from) / 4 : 0;
    return from >= margin && to <= length - margin;
  };
  return away(place.row0, place.row1, rows) && away(place.column0, place.column1, columns);
}
