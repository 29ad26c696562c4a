/**
 * Phase fractions with intervals: how far the fraction of a phase in the field of view may lie from that of the material.
 *
 * A field of view is a sample, and neighbouring pixels are alike, so its pixels are no independent draws. The variance of a fraction f over an
 * area A is that of the mean of a stationary random set: with the covariance C(h) of the phase's indicator,
 * Var f = 1/A² ΣΣ C(x − y) ≈ f (1 − f) Aᵢ / A, where Aᵢ = Σ C(h) / C(0) is the integral range (G. Matheron, Estimating and Choosing, 1989;
 * C. Lantuéjoul, Ergodicity and integral range, J. Microscopy 161, 1991; T. Kanit et al., Int. J. Solids Struct. 40, 2003).
 * A / Aᵢ is the number of independent areas that the image is worth.
 *
 * - C is the mean over rings of lags, up to the first ring where it is not positive: beyond, it is noise (as the initial positive sequence of
 *   C. Geyer, Practical Markov chain Monte Carlo, Statist. Sci. 7, 1992). The variance of phases in a regular order is overestimated thereby.
 * - Deviations from the image's own mean underestimate C by Var f at every lag; with K the share of all pairs of pixels whose lag is within the cut, the
 *   sum within it lacks K · Var f: Var f = sum / (1 − K).
 * - The sum is an estimate, too: that of a spectrum at frequency 0 with a lag window of K A, which has ν = 1 / K degrees of freedom
 *   (M. Priestley, Spectral Analysis and Time Series, 1981, section 6.2.4). The interval takes the quantiles of Student's t with ν.
 * - The interval is symmetric in log(f / (1 − f)), so that it stays within 0 and 1.
 *
 * C is computed from sums over square cells, at most about 128 a side. That loses nothing: the covariance of the cells' sums adds up to the same variance.
 *
 * A stack's cells are sums over its slices as well. The covariance of these sums in the plane contains the correlation between slices, however far
 * they are apart, so nothing is assumed of it; what differs from slice to slice without differing in the plane is not seen.
 *
 * The classification adds an error, from the probabilities. If these are right, a phase has Σ p / N of the pixels: the distance of the counted fraction
 * from it counts as a standard error. The mean of p (1 − p) is the variance of a pixel's class; the errors of neighbours are alike,
 * and are taken to have the integral range of the phase.
 */

/** Cells of an image are so large that a square image has this many a side. */
const CELLS = 128;
/** Points of the integral for Student's t. */
const T_POINTS = 400;
/** From so many degrees of freedom on, the normal distribution is used. */
const T_MAX = 4000;
/** Probability of the interval. */
export const INTERVAL = 0.95;

/** Sums over the cells of an image. */
export interface IPhaseCells {
  /** Cells in a column and in a row. */
  rows: number;
  columns: number;
  /** Side of a cell in pixels. */
  side: number;
  /** Segmented pixels in each cell, over all slices. */
  covered: Float64Array;
  /** Pixels of each class in each cell, over all slices; only of classes that occur. */
  classes: Map<number, Float64Array>;
}

/** What the probabilities say of a class: means over the pixels that were looked at. */
export interface ISoftPhase {
  id: number;
  /** Mean probability less the share of pixels that are segmented as the class. */
  excess: number;
  /** Mean of p (1 − p). */
  doubt: number;
}

/** A phase in one image. */
export interface IImagePhase {
  id: number;
  /** Share of the segmented pixels. */
  fraction: number;
  /** Variance of the fraction over fields of view of this size; null if it cannot be said: the phase is absent or alone, or varies over more than the image. */
  variance: number | null;
  /** Degrees of freedom of that variance. */
  freedom: number;
  /** Integral range in pixels of a slice. */
  range: number | null;
  excess: number | null;
  doubt: number | null;
}

/** The phases of one image. */
export interface IImagePhases {
  /** Segmented pixels, over all slices. */
  pixels: number;
  /** Segmented pixels of a slice; of a stack, those that any slice has. */
  area: number;
  phases: IImagePhase[];
}

/** A phase over all images. */
export interface IPhaseFraction {
  id: number;
  fraction: number;
  /** Ends of the 95 % interval; null if nothing can be said: the phase is absent, or alone. */
  low: number | null;
  high: number | null;
  /** Standard error by the field of view, and by what images differ beyond that; null as for `low`, or if the phase varies over more than the image. */
  field: number | null;
  /** Standard error by the classification; null without probabilities. */
  classification: number | null;
  /** The number of independent areas that the images are worth; null as for `field`. */
  regions: number | null;
}

/** Cells without any pixels, for images of rows × columns. */
export function emptyCells(rows: number, columns: number): IPhaseCells {
  const side = Math.max(1, Math.ceil(Math.sqrt(rows * columns) / CELLS));
  const size = { rows: Math.ceil(rows / side), columns: Math.ceil(columns / side) };
  return { ...size, side, covered: new Float64Array(size.rows * size.columns), classes: new Map() };
}

/**
 * Add rows of a slice to cells.
 *
 * @param ids class ids of whole rows, 0 where nothing is segmented
 * @param columns length of a row
 * @param first number of the first row
 */
export function addToCells(cells: IPhaseCells, ids: Uint8Array, columns: number, first: number): void {
  const { side } = cells;
  const sums: (Float64Array | undefined)[] = [];
  cells.classes.forEach((sum, id) => (sums[id] = sum));
  for (let at = 0, row = first; at < ids.length; row++) {
    const line = Math.floor(row / side) * cells.columns;
    for (let cell = line, column = 0; column < columns; cell++) {
      const end = Math.min(columns, column + side);
      for (; column < end; column++, at++) {
        const id = ids[at]!;
        if (id !== 0) {
          let sum = sums[id];
          if (!sum) {
            sum = new Float64Array(cells.covered.length);
            sums[id] = sum;
            cells.classes.set(id, sum);
          }
          sum[cell]!++;
          cells.covered[cell]!++;
        }
      }
    }
  }
}

/** Add the sums of other cells of the same image to `cells`. */
export function joinCells(cells: IPhaseCells, other: Pick<IPhaseCells, 'covered' | 'classes'>): void {
  const add = (to: Float64Array, from: Float64Array) => from.forEach((value, i) => (to[i]! += value));
  add(cells.covered, other.covered);
  other.classes.forEach((sum, id) => {
    const own = cells.classes.get(id);
    if (own) {
      add(own, sum);
    } else {
      cells.classes.set(id, sum);
    }
  });
}

/** The phases of an image from its cells, and from its probabilities if there are any. `slices`: how many the cells are sums over. */
export function imagePhases(cells: IPhaseCells, slices: number, soft: readonly ISoftPhase[] = []): IImagePhases {
  const pixels = total(cells.covered);
  const area = pixels / Math.max(1, slices);
  const pairs = new RingSums(cells, cells.covered);
  const phases = [...cells.classes]
    .sort(([a], [b]) => a - b)
    .map(([id, counts]) => {
      const fraction = total(counts) / pixels;
      const deviations = counts.map((count, i) => count - fraction * cells.covered[i]!);
      const { variance, freedom } = fraction < 1 ? meanVariance(cells, deviations, pairs, pixels) : NOTHING;
      const said = soft.find(phase => phase.id === id);
      return {
        id,
        fraction,
        variance,
        freedom,
        range: variance === null ? null : (variance * area) / (fraction * (1 - fraction)),
        excess: said?.excess ?? null,
        doubt: said?.doubt ?? null
      };
    });
  return { pixels, area, phases };
}

/**
 * The phases of several images as one: fractions of all their area.
 *
 * Images may differ by more than their fields of view explain (other places, other samples). The variance τ² of that is estimated as in a meta-analysis with
 * random effects (R. DerSimonian, N. Laird, Controlled Clinical Trials 7, 1986), with the images' areas as weights: with shares a of the area,
 * Var f = Σ a² (Vᵢ + τ²). Degrees of freedom by F. Satterthwaite, Biometrics Bull. 2, 1946.
 *
 * @param weights areas of the images in any unit; their numbers of pixels if left out
 */
export function pooledPhases(
  images: readonly IImagePhases[],
  weights = images.map(({ pixels }) => pixels)
): IPhaseFraction[] {
  const used = images.filter(({ pixels }) => pixels > 0);
  const areas = weights.filter((_, i) => images[i]!.pixels > 0);
  const all = total(areas);
  const shares = areas.map(area => area / all);
  const ids = [...new Set(used.flatMap(({ phases }) => phases.map(({ id }) => id)))].sort((a, b) => a - b);
  return ids.map(id => {
    const phases = used.map(image => image.phases.find(phase => phase.id === id));
    return pooledPhase(id, phases, used, shares);
  });
}

function pooledPhase(
  id: number,
  phases: readonly (IImagePhase | undefined)[],
  images: readonly IImagePhases[],
  shares: readonly number[]
): IPhaseFraction {
  const sum = (of: (share: number, i: number) => number) => total(shares.map(of));
  const fraction = sum((share, i) => share * (phases[i]?.fraction ?? 0));
  const ranges = phases.flatMap(phase => phase?.range ?? []);
  const unknown = { id, fraction, field: null, regions: null };
  const spread = fraction * (1 - fraction);
  if (spread <= 0 || (ranges.length === 0 && phases.every(phase => !phase || phase.freedom === 0))) {
    return { ...unknown, low: null, high: null, classification: null };
  }
  const reaches = ranges.length > 0 && phases.every(phase => !phase || phase.freedom === 0 || phase.range !== null);
  // Where a phase is absent or alone, the other images' integral range is taken.
  const range = total(ranges) / Math.max(1, ranges.length);
  const fields = images.map(({ area }, i) => phases[i]?.variance ?? (spread * range) / area);
  const freedoms = phases.map(phase => Math.max(1, phase?.freedom ?? 1));
  const own = sum((share, i) => share ** 2 * fields[i]!);
  const between = sum((share, i) => share * ((phases[i]?.fraction ?? 0) - fraction) ** 2);
  const expected = sum((share, i) => share * (1 - share) * fields[i]!);
  const squares = sum(share => share ** 2);
  const extra = images.length > 1 ? (squares * Math.max(0, between - expected)) / (1 - squares) : 0;
  const variance = own + extra;
  const said = phases.every(phase => !phase || phase.excess !== null);
  const doubt = sum((share, i) => {
    const phase = phases[i];
    return phase?.doubt ? share ** 2 * phase.doubt * Math.min(1, (phase.range ?? range) / images[i]!.area) : 0;
  });
  const classification = said
    ? Math.hypot(
        sum((share, i) => share * (phases[i]?.excess ?? 0)),
        Math.sqrt(doubt)
      )
    : null;
  if (!reaches) {
    return { ...unknown, low: 0, high: 1, classification };
  }
  const unsure =
    sum((share, i) => (share ** 2 * fields[i]!) ** 2 / freedoms[i]!) +
    (extra > 0 ? extra ** 2 / (images.length - 1) : 0);
  const both = variance + (classification ?? 0) ** 2;
  const reach = (studentQuantile(both ** 2 / unsure) * Math.sqrt(both)) / spread;
  const middle = Math.log(fraction / (1 - fraction));
  const [low, high] = [middle - reach, middle + reach].map(value => 1 / (1 + Math.exp(-value)));
  return {
    id,
    fraction,
    low: low!,
    high: high!,
    field: Math.sqrt(variance),
    classification,
    regions: spread / variance
  };
}

/** Student's t with the probability {@link INTERVAL} between −t and t. `freedom` need not be whole; below 1 it counts as 1. */
export function studentQuantile(freedom: number): number {
  const nu = Math.min(Math.max(freedom, 1), T_MAX);
  // With t = √ν tan θ the density is cos^(ν−1) θ: integrate to π/2 by the midpoint rule in a variable that is dense at 0, and find the end.
  const width = Math.min(Math.PI / 2, 8 / Math.sqrt(nu));
  const step = width / T_POINTS;
  const parts = Array.from({ length: T_POINTS }, (_, i) => Math.cos((i + 0.5) * step) ** (nu - 1));
  let left = INTERVAL * total(parts);
  let i = 0;
  for (; left > parts[i]!; i++) {
    left -= parts[i]!;
  }
  return Math.sqrt(nu) * Math.tan((i + left / parts[i]!) * step);
}

const NOTHING = { variance: null, freedom: 0 };

/** The variance of the mean of a field, and its degrees of freedom. */
function meanVariance(
  cells: IPhaseCells,
  deviations: Float64Array,
  pairs: RingSums,
  pixels: number
): { variance: number | null; freedom: number } {
  const products = new RingSums(cells, deviations);
  let [sum, within] = [0, 0];
  for (let ring = 0; ring < products.rings; ring++) {
    const product = products.of(ring);
    if (product <= 0) {
      const share = within / pixels ** 2;
      return share < 1
        ? { variance: sum / pixels ** 2 / (1 - share), freedom: 1 / share }
        : { variance: null, freedom: 1 };
    }
    sum += product;
    within += pairs.of(ring);
  }
  return { variance: null, freedom: 1 };
}

/** Σ v(x) v(x + h) over all x and the lags h of a ring: |h| rounds to the ring's number, in cells. */
class RingSums {
  constructor(
    private readonly _size: Pick<IPhaseCells, 'rows' | 'columns'>,
    private readonly _values: Float64Array
  ) {
    this.rings = Math.floor(Math.max(_size.rows, _size.columns) / 2) + 1;
  }

  readonly rings: number;

  of(ring: number): number {
    return (this._sums[ring] ??= this._sum(ring));
  }

  private _sum(ring: number): number {
    const { rows, columns } = this._size;
    const values = this._values;
    let sum = 0;
    for (let down = 0; down <= Math.min(ring, rows - 1); down++) {
      const most = Math.min(columns - 1, ring);
      for (let right = down === 0 ? 0 : -most; right <= most; right++) {
        if (Math.round(Math.hypot(down, right)) !== ring) {
          continue;
        }
        const [from, to] = [Math.max(0, -right), Math.min(columns, columns - right)];
        let products = 0;
        for (let row = 0; row + down < rows; row++) {
          const a = row * columns;
          const b = (row + down) * columns + right;
          for (let column = from; column < to; column++) {
            products += values[a + column]! * values[b + column]!;
          }
        }
        // A lag and its opposite have the same sum.
        sum += down === 0 && right === 0 ? products : 2 * products;
      }
    }
    return sum;
  }

  private readonly _sums: number[] = [];
}

function total(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i]!;
  }
  return sum;
}
