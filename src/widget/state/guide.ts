/**
 * Where to label next: the regions that the sidecar suggests, one after the other. Those that got a label meanwhile are left out, and those
 * that were looked at and left alone come again only when there are no others.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { areaOf, BridgeError, overlapArea, SliceRect, SuggestedRegion } from '../../shared';
import { ISessionEvent, ISessionLink } from '../base/session-link';
import { trans } from '../base/translation';

/** Regions asked for at once. */
export const REGIONS_ASKED = 20;
/** Regions that are remembered as seen. */
const SEEN_MAX = 200;

/** How the search is. */
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

/** Leads a person through the regions of one session. */
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

  /** What to tell the person; null for nothing. */
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

  /** Go to the next region. Null if there is none, or one is being looked for already. */
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

  /** Mark no region, and say no more of it. */
  dismiss(): void {
    this._asking?.abort();
    if (this._state.state !== 'idle') {
      this._set({ state: 'idle' });
    }
  }

  /** Something was drawn: why the region is marked is known by now. */
  drawn(): void {
    if (this._state.state === 'shown' && !this._old) {
      this._old = true;
      this._changed.emit();
    }
  }

  /** There is another segmentation: a region that has got its label is done with. */
  follow(version: number): void {
    const other = version !== this._followed;
    this._followed = version;
    if (other && this.region && this._options.labelled(this.region)) {
      this.dismiss();
    }
  }

  /** Give up what is being looked for; what is marked stays. */
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

  /** The sidecar tells how far it is. */
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

  /** The best region that has no label yet and was not seen; once all were, they begin again. */
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
  /** Whether something was drawn since the region was found. */
  private _old = false;
  private _followed = 0;
  /** What had to be done differently. */
  private _note = '';
  private _disposed = false;
}

/** The namespace for {@link Guide}. */
export namespace Guide {
  export interface IOptions {
    slices: number;
    link: ISessionLink;
    /** Whether a region has a label, as far as is known here. */
    labelled(region: SliceRect): boolean;
    /** The segmentation's version: another one has other regions. */
    version(): number;
  }
}

/** Why a region is worth a look. */
export function reasonText({ reason, score, slice }: SuggestedRegion, slices: number): string {
  const percent = Math.round(Math.min(Math.max(score, 0), 1) * 100);
  const why =
    reason === 'uncertain'
      ? trans.__('the classifier is least sure here (uncertainty %1 %)', percent)
      : reason === 'representative'
        ? trans.__('looks like much of the image (about %1 %)', percent)
        : trans.__('looks unlike the rest');
  return slices > 1 ? trans.__('Where next: slice %1, %2.', slice + 1, why) : trans.__('Where next: %1.', why);
}

/** Share of `b` that lies in `a`. */
function shareIn(a: SliceRect, b: SliceRect): number {
  return a.slice === b.slice ? overlapArea(a, b) / areaOf(b) : 0;
}

/** Draw the mark around a region, in CSS pixels: light on dark, so that it is seen on any image. */
export function drawMark(context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
  context.save();
  context.lineJoin = 'round';
  context.beginPath();
  context.rect(x - 2, y - 2, width + 4, height + 4);
  context.lineWidth = 4;
  context.strokeStyle = 'rgba(0, 0, 0, 0.65)';
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = '#ffffff';
  context.stroke();
  context.setLineDash([7, 7]);
  context.strokeStyle = '#ff7f0e';
  context.stroke();
  context.restore();
}
