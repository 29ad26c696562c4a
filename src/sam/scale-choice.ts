/**
 * Which of SAM's scales to show first for a point.
 *
 * A scale's worth is 0.9 · SAM's score + 0.26 · stability + 0.28 · connectedness − 0.02 · ln(coverage) − the distance from sizes that were accepted
 * before. The weights were fitted to the overlap of masks with true objects, on other images than those that they were measured on
 * (docs/measurements.md, "Which scale first"). Stability is that of Kirillov et al., "Segment Anything" (2023), appendix D.
 */
import { DecoderManifest } from '../shared/models';
import type { ICandidates } from './decoder';
import { PARTS_MAX, traitsOf } from './mask-traits';
import type { ISize } from './prompts';

const SCORE_WEIGHT = 0.9;
const STABILITY_WEIGHT = 0.26;
const CONNECTED_WEIGHT = 0.28;
const COVERAGE_WEIGHT = -0.02;

/** Auto begins with no mask of more than this part of the image, unless the user has accepted one as large. */
export const FIRST_COVERAGE_MAX = 1 / 3;

/**
 * A mask of more parts than {@link PARTS_MAX} whose stability is below this is ragged: SAM's logits are near 0 all over, and noise decides which samples are
 * in the mask. Auto begins with none of them. Stable masks of many parts, and one-part masks that are not stable, are objects often enough.
 */
export const RAGGED_STABILITY = 0.25;

/** The weight of the distance from accepted sizes, and the largest squared distance that counts. */
const SIZE_WEIGHT = 0.02;
const DISTANCE_MAX = 9;
/** Before any are accepted, logarithms of areas are taken to vary by this variance; it counts as much as two sizes. */
const VARIANCE = 0.8;
const VARIANCE_COUNT = 2;
/** A mask is as large as an accepted one up to this factor in area. */
const AS_LARGE = 1.5;
/** Older sizes are forgotten. */
const KEPT = 20;

/** The sizes of the masks that a user has accepted for each class. */
export class AcceptedSizes {
  /** @param sizes as {@link toJSON} gives them; what has another form is ignored */
  constructor(sizes: unknown = null) {
    if (sizes !== null && typeof sizes === 'object') {
      for (const [id, areas] of Object.entries(sizes)) {
        if (Array.isArray(areas)) {
          areas.forEach(area => this.add(Number(id), area as number));
        }
      }
    }
  }

  /** Note the area of an accepted mask, in pixels. */
  add(classId: number, area: number): void {
    if (Number.isInteger(classId) && typeof area === 'number' && Number.isFinite(area) && area >= 1) {
      this._areas.set(classId, [...(this._areas.get(classId) ?? []), area].slice(-KEPT));
    }
  }

  /** How much less a mask of `area` pixels is worth for a class: 0 without accepted masks of the class. */
  cost(classId: number, area: number): number {
    const logs = (this._areas.get(classId) ?? []).map(Math.log);
    const n = logs.length;
    if (n === 0) {
      return 0;
    }
    const mean = logs.reduce((sum, log) => sum + log, 0) / n;
    const squares = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0);
    const variance = (squares + VARIANCE_COUNT * VARIANCE) / (n + VARIANCE_COUNT);
    const squared = Math.min((Math.log(Math.max(area, 1)) - mean) ** 2 / variance, DISTANCE_MAX);
    return (SIZE_WEIGHT * squared * n) / (n + VARIANCE_COUNT);
  }

  /** Whether a mask about as large as `area` pixels, or larger, was accepted for a class. */
  hasAsLarge(classId: number, area: number): boolean {
    return (this._areas.get(classId) ?? []).some(accepted => area <= accepted * AS_LARGE);
  }

  /** Areas by class. */
  toJSON(): Record<string, number[]> {
    return Object.fromEntries(this._areas);
  }

  private readonly _areas = new Map<number, number[]>();
}

/** What {@link chooseScale} chooses for. */
export interface IScaleQuestion {
  /** The prompt's pixel, in the image that the decoder saw. */
  at: { row: number; column: number };
  /** The size of the image that the decoder saw. */
  size: ISize;
  manifest: DecoderManifest;
  /**
   * For a decoder that sees a window: the part that it is of the image, and whether the window cuts the mask of a scale. Then a mask of more
   * than {@link FIRST_COVERAGE_MAX} of the window is too large only if it is cut: it may be the ground, of which the rest is not seen.
   */
  window?: { part: number; isCut(scale: number): boolean } | undefined;
  /** The sizes that the user accepted, and the class in use. */
  accepted?: { sizes: AcceptedSizes; classId: number } | undefined;
}

/** The scale that Auto takes. */
export interface IScaleChoice {
  /** Its index among the candidates. */
  scale: number;
  /** Whether it covers more than {@link FIRST_COVERAGE_MAX} of the image, and the user accepted none as large: not to begin with. */
  isTooLarge: boolean;
  /** Whether its mask is ragged, see {@link PARTS_MAX}, and no other one would do: not to begin with. */
  isRagged: boolean;
}

/** The scale to show first: the one of most worth, unless it is ragged or too large to begin with. If all are, a ragged one, or else the smallest. */
export function chooseScale({ lowRes, scores, traits }: ICandidates, question: IScaleQuestion): IScaleChoice {
  const { at, size, manifest, window, accepted } = question;
  const isLarge = (coverage: number, scale: number) =>
    window
      ? coverage * window.part > FIRST_COVERAGE_MAX || (coverage > FIRST_COVERAGE_MAX && window.isCut(scale))
      : coverage > FIRST_COVERAGE_MAX;
  const judged = (traits ?? traitsOf(lowRes, at, size, manifest)).map((each, scale) => {
    const { coverage, stability, connected, parts } = each;
    const area = coverage * size.rows * size.columns;
    const worth =
      SCORE_WEIGHT * scores[scale]! +
      STABILITY_WEIGHT * stability +
      CONNECTED_WEIGHT * connected +
      COVERAGE_WEIGHT * Math.log(Math.max(coverage, 1e-5)) -
      (accepted?.sizes.cost(accepted.classId, area) ?? 0);
    const isTooLarge = isLarge(coverage, scale) && !accepted?.sizes.hasAsLarge(accepted.classId, area);
    const isRagged = parts > PARTS_MAX && stability < RAGGED_STABILITY;
    const late = isTooLarge ? -1e3 * (1 + coverage) : isRagged ? worth - 1e2 : worth;
    return { scale, worth: late, isTooLarge, isRagged };
  });
  const { scale, isTooLarge, isRagged } = judged.reduce((best, each) => (each.worth > best.worth ? each : best));
  return { scale, isTooLarge, isRagged };
}
