/**
 * Decides which route decodes: the one whose recent answers came soonest, by their median. The others are tried now and then, on points that are
 * decoded ahead, so that no user waits for them. A route that failed is left out for a while.
 */
import { IDecoderRoutes, RouteName, ROUTES } from '../state/suggestion-decoder';

/** Answers that a median is of, and those without which there is none. */
const RECENT = 9;
const FEW = 3;
/** Another route serves only if its median is at most this part of that of the serving one: else they would take turns. */
const SOONER = 0.85;
/** Points decoded ahead, and milliseconds, after which another route is tried again. */
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
  /** When it was last tried while another one served. */
  triedAt: number;
  /** Such trials since the serving route answered last. */
  trials: number;
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
    const rank = (name: RouteName) => (name === this._serving ? -1 : (this.median(name) ?? Infinity));
    return [...asked].sort((a, b) => rank(a) - rank(b) || 0);
  }

  /**
   * The route for the next point that is decoded ahead: the first one, unless another one is due for a trial; of several the one that was not tried for
   * longest.
   *
   * @param isSlow the first one has become too slow to decode points ahead: the others are tried a few times in a row, until the first one serves again
   */
  ahead(usable: readonly RouteName[], isSlow = false): RouteName | undefined {
    const [first, ...others] = this.order(usable);
    if (!first || this._forced) {
      return first;
    }
    const due = others.filter(name => {
      const { times, triedAt, trials } = this._routes[name];
      const isDue =
        times.length < FEW
          ? this._points > 0 || this._routes[first].times.length >= FEW
          : this._points >= PROBE_POINTS || this._now() - triedAt >= PROBE_MS;
      return isDue || (isSlow && trials < RECENT);
    });
    const [other] = due.sort((a, b) => this._routes[a].triedAt - this._routes[b].triedAt);
    if (!other) {
      this._points++;
      return first;
    }
    this._points = 0;
    const route = this._routes[other];
    Object.assign(route, { triedAt: this._now(), trials: route.trials + 1 });
    return other;
  }

  /** A route has answered a single point on a prepared embedding in this time. */
  took(name: RouteName, milliseconds: number): void {
    const route = this._routes[name];
    route.times = [...route.times.slice(1 - RECENT), milliseconds];
    this.worked(name);
    if (name === this._serving) {
      ROUTES.forEach(each => (this._routes[each].trials = 0));
    }
    const mine = this.median(this._serving);
    const soonest = this._soonest(ROUTES.filter(each => each !== this._serving && !this._isOut(each)));
    const its = (soonest && this.median(soonest)) ?? Infinity;
    if (
      !this._forced &&
      soonest &&
      (this._isOut(this._serving) ? its < Infinity : mine !== null && its <= SOONER * mine)
    ) {
      this._serving = soonest;
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
    this._leaveOut(name, why, this._now() + Math.min(OUT_MS * 2 ** route.failures++, OUT_MS_MAX));
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

  /** How prompts are decoded now. @param usable the routes that can be asked */
  report(usable: readonly RouteName[] = ROUTES): IDecoderRoutes {
    const each = <T>(of: (name: RouteName) => T) =>
      Object.fromEntries(ROUTES.map(name => [name, of(name)])) as Record<RouteName, T>;
    return {
      serving: this.order(usable)[0] ?? 'page',
      medians: each(name => this.median(name)),
      answers: each(name => this._routes[name].answers),
      problems: each(name => (this._isOut(name) ? this._routes[name].problem : null))
    };
  }

  private _leaveOut(name: RouteName, why: string, until: number): void {
    Object.assign(this._routes[name], { times: [], backAt: until, problem: why });
    if (!this._forced && this._serving === name) {
      const other = this._soonest(ROUTES.filter(each => each !== name && !this._isOut(each)));
      // Without times it stays: another one answers while it is left out.
      this._serving = other && this.median(other) !== null ? other : name;
    }
  }

  /** The one with the least median; the first one if there is no median. */
  private _soonest(names: readonly RouteName[]): RouteName | undefined {
    const median = (name: RouteName) => this.median(name) ?? Infinity;
    return [...names].sort((a, b) => median(a) - median(b) || 0)[0];
  }

  private _isOut(name: RouteName): boolean {
    return this._now() < this._routes[name].backAt;
  }

  private readonly _forced: RouteName | null;
  private readonly _now: () => number;
  private readonly _routes: Record<RouteName, IRoute> = { page: fresh(), gpu: fresh(), sidecar: fresh() };
  private _serving: RouteName;
  /** Points that were decoded ahead since the last trial of another route. */
  private _points = 0;
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

function fresh(): IRoute {
  return { times: [], answers: 0, failures: 0, backAt: 0, problem: null, triedAt: 0, trials: 0 };
}
