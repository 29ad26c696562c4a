/**
 * Decides which route decodes: the one whose recent answers came sooner, by their median. The other one is tried now and then, on points that are
 * decoded ahead, so that no user waits for it. A route that failed is left out for a while.
 */
import type { IDecoderRoutes, RouteName } from '../state/suggestion-decoder';

/** Answers that a median is of, and those without which there is none. */
const RECENT = 9;
const FEW = 3;
/** The other route serves only if its median is at most this part of that of the serving one: else they would take turns. */
const SOONER = 0.85;
/** Points decoded ahead, and milliseconds, after which the other route is tried again. */
const PROBE_POINTS = 20;
const PROBE_MS = 30_000;
/** A route that failed is left out for this time, which doubles with each failure in a row, in milliseconds. */
const OUT_MS = 5_000;
const OUT_MS_MAX = 300_000;
/** An answer that takes so many times the median, or this time, does not come any more; in milliseconds. */
const LATE = 3;
const LATE_MS = { minimum: 300, maximum: 2_000 };

interface IRoute {
  times: number[];
  answers: number;
  failures: number;
  /** When it may serve again. */
  backAt: number;
  problem: string | null;
}

export class RouteChoice {
  constructor(options: RouteChoice.IOptions = {}) {
    this._forced = options.forced ?? null;
    this._now = options.now ?? (() => performance.now());
    this._serving = this._forced ?? 'page';
  }

  /** The routes to ask, in this order, of those that can be asked. */
  order(usable: readonly RouteName[]): RouteName[] {
    const well = usable.filter(name => !this._isOut(name));
    const asked = well.length > 0 ? well : usable;
    return [...asked].sort((a, b) => Number(b === this._serving) - Number(a === this._serving));
  }

  /**
   * The route for the next point that is decoded ahead: the first one, unless the other one is due for a trial.
   *
   * @param isSlow the first one has become too slow to decode points ahead: the other one is tried a few times in a row, until the first one serves again
   */
  ahead(usable: readonly RouteName[], isSlow = false): RouteName | undefined {
    const [first, other] = this.order(usable);
    if (!other || this._forced) {
      return first;
    }
    const isDue =
      this._routes[other].times.length < FEW
        ? this._points > 0 || this._routes[first!].times.length >= FEW
        : this._points >= PROBE_POINTS || this._now() - this._probedAt >= PROBE_MS;
    if (!isDue && !(isSlow && this._trials < RECENT)) {
      this._points++;
      return first;
    }
    this._points = 0;
    this._trials++;
    this._probedAt = this._now();
    return other;
  }

  /** A route has answered a single point on a prepared embedding in this time. */
  took(name: RouteName, milliseconds: number): void {
    const route = this._routes[name];
    route.times = [...route.times.slice(1 - RECENT), milliseconds];
    this.worked(name);
    if (name === this._serving) {
      this._trials = 0;
    }
    const [mine, its] = [this.median(this._serving), this.median(otherThan(this._serving))];
    if (!this._forced && mine !== null && its !== null && its <= SOONER * mine) {
      this._serving = otherThan(this._serving);
    }
  }

  /** A route has answered. */
  worked(name: RouteName): void {
    const route = this._routes[name];
    Object.assign(route, { answers: route.answers + 1, failures: 0, backAt: 0, problem: null });
  }

  /** A route did not answer. What it took before says nothing about it any more. */
  failed(name: RouteName, why: string): void {
    const route = this._routes[name];
    route.times = [];
    route.backAt = this._now() + Math.min(OUT_MS * 2 ** route.failures++, OUT_MS_MAX);
    route.problem = why;
    if (!this._forced && this._serving === name) {
      this._serving = otherThan(name);
    }
  }

  /** Milliseconds after which an answer of a route does not come any more. */
  limit(name: RouteName): number {
    const median = this.median(name);
    return median === null ? LATE_MS.maximum : Math.min(Math.max(LATE * median, LATE_MS.minimum), LATE_MS.maximum);
  }

  /** The median of a route's last answers in milliseconds; null before there are a few. */
  median(name: RouteName): number | null {
    const sorted = [...this._routes[name].times].sort((a, b) => a - b);
    return sorted.length < FEW ? null : sorted[sorted.length >> 1]!;
  }

  get report(): IDecoderRoutes {
    const problem = (name: RouteName) => (this._isOut(name) ? this._routes[name].problem : null);
    return {
      serving: this._serving,
      medians: { page: this.median('page'), sidecar: this.median('sidecar') },
      answers: { page: this._routes.page.answers, sidecar: this._routes.sidecar.answers },
      problems: { page: problem('page'), sidecar: problem('sidecar') }
    };
  }

  private _isOut(name: RouteName): boolean {
    return this._now() < this._routes[name].backAt;
  }

  private readonly _forced: RouteName | null;
  private readonly _now: () => number;
  private readonly _routes: Record<RouteName, IRoute> = { page: fresh(), sidecar: fresh() };
  private _serving: RouteName;
  /** Points that were decoded ahead since the last trial of the other route. */
  private _points = 0;
  private _probedAt = 0;
  /** Trials since the serving route answered last. */
  private _trials = 0;
}

/** The namespace for {@link RouteChoice}. */
export namespace RouteChoice {
  export interface IOptions {
    /** The route that serves whatever it takes, while it answers. */
    forced?: RouteName | null;
    /** Milliseconds of a steady clock. */
    now?: () => number;
  }
}

function otherThan(name: RouteName): RouteName {
  return name === 'page' ? 'sidecar' : 'page';
}

function fresh(): IRoute {
  return { times: [], answers: 0, failures: 0, backAt: 0, problem: null };
}
