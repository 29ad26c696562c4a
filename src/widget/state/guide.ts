/**
 * Where to label next: leads the user through the regions that the sidecar suggests. Regions that have a label are skipped;
 * regions that the user has seen come again only when there are no others.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { areaOf, BridgeError, overlapArea, SliceRect, SuggestedRegion } from '../../shared';
import { ISessionEvent, ISessionLink } from '../base/session-link';
import { trans } from '../base/translation';

/** Regions a request asks for. */
export const REGIONS_ASKED = 20;
/** Seen regions that are remembered. */
const SEEN_MAX = 200;

/** The state of the search. */
export type GuideState =
  | { state: 'idle' }
  | { state: 'asking'; fraction: number | null }
  | { state: 'shown'; region: SuggestedRegion }
  | { state: 'none' }
  | { state: 'failed'; message: string };

interface IList {
  version: number;
  regions: readonly SuggestedRegion[];
}

/** The guide of one session. */
export class Guide implements IDisposable {
  constructor(private readonly _options: Guide.IOptions) {
    _options.link.on('job').connect(this._onJob, this);
  }

  /** Emits when the state changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get state(): GuideState {
    return this._state;
  }

  /** The region that is marked; null for none. */
  get region(): SuggestedRegion | null {
    return this._state.state === 'shown' ? this._state.region : null;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Text for the status line; null for none. */
  get told(): { text: string; kind: 'plain' | 'busy' | 'error' } | null {
    const state = this._state;
    switch (state.state) {
      case 'asking': {
        const percent = !state.fraction ? '' : ` ${Math.round(state.fraction * 100)} %`;
        return { text: trans.__('Looking for a region to label…') + percent, kind: 'busy' };
      }
      case 'shown': {
        if (this._old) {
          return null;
        }
        const text = [reasonText(state.region, this._options.slices), this._note].filter(part => part !== '');
        return { text: text.join(' '), kind: 'plain' };
      }
      case 'none':
        return { text: trans.__('There is no region without labels to suggest.'), kind: 'plain' };
      case 'failed':
        return { text: trans.__('No region to suggest: %1', state.message), kind: 'error' };
      default:
        return null;
    }
  }

  /** Choose the next region. Null if there is none, or a search is running. */
  async next(): Promise<SuggestedRegion | null> {
    if (this._state.state === 'asking' || this._disposed) {
      return null;
    }
    const version = this._options.version();
    const kept = this._list?.version === version ? this._list : null;
    const region = (kept && this._choose(kept)) ?? (await this._ask(version));
    if (region && !this._disposed) {
      this._seen = [...this._seen, region].slice(-SEEN_MAX);
      this._set({ state: 'shown', region });
    }
    return region;
  }

  /** Remove the mark, or stop the search. */
  dismiss(): void {
    this._asking?.abort();
    if (this._state.state !== 'idle') {
      this._set({ state: 'idle' });
    }
  }

  /** The user has drawn: stop explaining why the region is marked. */
  drawn(): void {
    if (this._state.state === 'shown' && !this._old) {
      this._old = true;
      this._changed.emit();
    }
  }

  /** The segmentation has this version: remove the mark of a region that has a label now. */
  follow(version: number): void {
    const other = version !== this._followed;
    this._followed = version;
    if (other && this.region && this._options.labelled(this.region)) {
      this.dismiss();
    }
  }

  /** Stop the search; a mark stays. */
  leave(): void {
    if (this._state.state === 'asking') {
      this.dismiss();
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this._asking?.abort();
    Signal.clearData(this);
  }

  /** Follow the progress of the search. */
  private _onJob(_: ISessionLink, { params: job }: ISessionEvent<'job'>): void {
    if (this._state.state === 'asking' && job.job === this._job && job.state === 'running') {
      this._note = job.message;
      this._set({ state: 'asking', fraction: job.total > 0 ? Math.min(job.done / job.total, 1) : null });
    }
  }

  private async _ask(version: number): Promise<SuggestedRegion | null> {
    const asking = new AbortController();
    this._asking = asking;
    this._note = '';
    this._job = '';
    this._set({ state: 'asking', fraction: null });
    try {
      const { link } = this._options;
      const { result } = await link.request(
        'regions',
        { session: link.session, count: REGIONS_ASKED, by: 'auto' },
        { signal: asking.signal, onId: id => (this._job = id) }
      );
      if (this._disposed || asking.signal.aborted) {
        return null;
      }
      this._list = { version, regions: result.regions };
      const region = this._choose(this._list);
      if (!region) {
        this._set({ state: 'none' });
      }
      return region;
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (!this._disposed && !asking.signal.aborted) {
        this._set(error.code === 'cancelled' ? { state: 'idle' } : { state: 'failed', message: error.message });
      }
      return null;
    } finally {
      if (this._asking === asking) {
        this._asking = null;
      }
    }
  }

  /** The best region without a label that was not seen; when all were seen, begin again with the best. */
  private _choose({ regions }: IList): SuggestedRegion | null {
    const left = regions.filter(region => !this._options.labelled(region));
    const fresh = left.find(region => !this._seen.some(seen => shareIn(seen, region) > 0.5));
    if (!fresh && left.length > 0) {
      this._seen = [];
    }
    return fresh ?? left[0] ?? null;
  }

  private _set(state: GuideState): void {
    this._old = false;
    this._state = state;
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _state: GuideState = { state: 'idle' };
  private _list: IList | null = null;
  private _seen: SuggestedRegion[] = [];
  private _asking: AbortController | null = null;
  private _job = '';
  /** Whether the user has drawn since the region was shown. */
  private _old = false;
  private _followed = 0;
  /** The sidecar's remark on how it searched. */
  private _note = '';
  private _disposed = false;
}

/** The namespace for {@link Guide}. */
export namespace Guide {
  export interface IOptions {
    slices: number;
    link: ISessionLink;
    /** Whether a region has a label. */
    labelled(region: SliceRect): boolean;
    /** The segmentation's version: with a new one the regions are requested again. */
    version(): number;
  }
}

/** Why to label a region, in words. */
export function reasonText({ reason, score, slice }: SuggestedRegion, slices: number): string {
  const percent = Math.round(Math.min(Math.max(score, 0), 1) * 100);
  const why =
    reason === 'uncertain'
      ? trans.__('the classifier is least sure here (uncertainty %1 %)', percent)
      : reason === 'representative'
        ? trans.__('looks like much of the image (about %1 %)', percent)
        : trans.__('looks unlike the rest');
  return slices > 1 ? trans.__('Where next: slice %1, %2.', slice, why) : trans.__('Where next: %1.', why);
}

/** Share of `b` that lies in `a`. */
function shareIn(a: SliceRect, b: SliceRect): number {
  return a.slice === b.slice ? overlapArea(a, b) / areaOf(b) : 0;
}
