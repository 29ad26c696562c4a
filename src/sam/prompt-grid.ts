/**
 * SAM's answers to points on a grid, which are decoded ahead in idle time, so that a first suggestion is there at once.
 *
 * The grid begins coarse. It becomes finer between points whose masks differ: there the image has edges. Masks are kept with two bits a sample: the sign
 * of the logit, and whether it is beyond 1, which is what Auto and the stability of a mask depend on.
 */
import { Lru } from '../shared/lru';
import { DecoderManifest } from '../shared/models';
import type { ICandidates } from './decoder';
import { samplesOf } from './mask-shape';
import type { ISize } from './prompts';
import { IMaskTraits, traitsOf } from './mask-traits';

/** Points along the longer side: of the coarse grid, and of each finer one. */
const SIDES = [8, 16, 32];
/** Points of one image, at most: 48 KB each. */
const POINTS_MAX = 400;
/** No finer points lie between points whose masks overlap (IoU) at least so much. */
const SAME_IOU = 0.85;
/** Points that are looked at for an answer, the nearest first. */
const NEAREST = 12;
/** Points around a place that must have the same masks for no finer one to lie between them. */
const AROUND = 4;
/** Score of a scale without a mask at the place. */
const NO_SCORE = -10;
/** Logits of the four codes. */
const LOGITS = [-4, -0.5, 0.5, 4] as const;
/** Masks that are kept as logits as well, 256 KB each: the pointer stays near a point for several moves. */
const UNPACKED = 24;
const NO_TRAITS: IMaskTraits = { coverage: 0, stability: 0, connected: 0, parts: 0 };

/** A pixel of the image that the decoder sees. */
interface IPlace {
  row: number;
  column: number;
}

/** The masks of a point. */
interface IKnown extends IPlace {
  masks: Uint32Array[];
  scores: number[];
  /** Of SAM's own masks at the point. */
  traits: readonly IMaskTraits[];
}

export class PromptGrid {
  /** @param size of the image that the decoder sees */
  constructor(
    private readonly _size: ISize,
    private readonly _manifest: DecoderManifest
  ) {}

  /** Number of points whose answers are kept. */
  get count(): number {
    return this._known.size;
  }

  /** The point to decode next, near a place if one is given; null if there are enough. Each point comes once. */
  next(near?: IPlace): IPlace | null {
    if (this._asked.size >= POINTS_MAX) {
      return null;
    }
    while (this._waiting.length === 0) {
      if (this._level >= SIDES.length) {
        return null;
      }
      this._waiting = this._pointsOf(this._level++);
    }
    const distance = (at: IPlace) => (near ? Math.hypot(at.row - near.row, at.column - near.column) : 0);
    const at = this._waiting.reduce((best, each) => (distance(each) < distance(best) ? each : best));
    this._waiting = this._waiting.filter(each => each !== at);
    this._asked.add(nameOf(at));
    return at;
  }

  /** Keep SAM's answer to a point. */
  add(at: IPlace, { lowRes, scores, traits = traitsOf(lowRes, at, this._size, this._manifest) }: ICandidates): void {
    this._known.set(nameOf(at), { ...at, masks: lowRes.map(packed), scores, traits });
  }

  /**
   * What SAM will probably answer to a point: at each scale the mask of the nearest point that covers this one, by coarse logits. A scale without such a
   * mask is empty and has a negative score. Null if all are. The logits must not be changed: other answers share them.
   */
  near(at: IPlace): ICandidates | null {
    const known = this._nearest(at, NEAREST);
    const sample = this._sampleOf(at);
    const found = this._manifest.decoder.scales.map((_, scale) =>
      known.find(({ masks }) => isInside(masks[scale]!, sample))
    );
    if (found.every(each => !each)) {
      return null;
    }
    return {
      lowRes: found.map((each, scale) => this._unpacked(each?.masks[scale] ?? null)),
      scores: found.map((each, scale) => each?.scores[scale] ?? NO_SCORE),
      single: null,
      traits: found.map((each, scale) => each?.traits[scale] ?? NO_TRAITS)
    };
  }

  /** The logits of a mask; of an empty one for null. */
  private _unpacked(mask: Uint32Array | null): Float32Array {
    let logits = this._logits.get(mask);
    if (!logits) {
      const count = this._manifest.decoder.maskSize ** 2;
      logits = mask ? unpacked(mask, count) : new Float32Array(count).fill(LOGITS[0]);
      this._logits.set(mask, logits);
    }
    return logits;
  }

  /** The points of one grid that are worth decoding. */
  private _pointsOf(level: number): IPlace[] {
    const { rows, columns } = this._size;
    const step = Math.max(rows, columns) / SIDES[level]!;
    const [down, across] = [rows, columns].map(length => Math.max(1, Math.round(length / step))) as [number, number];
    const points: IPlace[] = [];
    for (let i = 0; i < down; i++) {
      for (let j = 0; j < across; j++) {
        const at = {
          row: Math.floor(((i + 0.5) * rows) / down),
          column: Math.floor(((j + 0.5) * columns) / across)
        };
        if (!this._asked.has(nameOf(at)) && (level === 0 || !this._isClear(at))) {
          points.push(at);
        }
      }
    }
    return points;
  }

  /** Whether the points around a place have the same masks. */
  private _isClear(at: IPlace): boolean {
    const [first, ...others] = this._nearest(at, AROUND);
    return others.every(({ masks }) => masks.every((mask, scale) => overlap(mask, first!.masks[scale]!) >= SAME_IOU));
  }

  /** The points with answers that are nearest to a place, the nearest first. */
  private _nearest(at: IPlace, count: number): IKnown[] {
    const distance = (of: IPlace) => (of.row - at.row) ** 2 + (of.column - at.column) ** 2;
    return [...this._known.values()].sort((a, b) => distance(a) - distance(b)).slice(0, count);
  }

  /** The index of the mask's sample at a pixel. */
  private _sampleOf({ row, column }: IPlace): number {
    const { rows, columns } = samplesOf(this._size, this._manifest);
    const clip = (value: number, count: number) => Math.min(Math.max(Math.floor(value), 0), count - 1);
    return (
      clip(((row + 0.5) * rows) / this._size.rows, rows) * this._manifest.decoder.maskSize +
      clip(((column + 0.5) * columns) / this._size.columns, columns)
    );
  }

  private _level = 0;
  private _waiting: IPlace[] = [];
  private readonly _asked = new Set<string>();
  private readonly _known = new Map<string, IKnown>();
  private readonly _logits = new Lru<Uint32Array | null, Float32Array>({ limit: UNPACKED });
}

function nameOf({ row, column }: IPlace): string {
  return `${row},${column}`;
}

/** Two bits a sample, 16 samples a word. */
function packed(logits: Float32Array): Uint32Array {
  const words = new Uint32Array(Math.ceil(logits.length / 16));
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!;
    const code = logit > 0 ? (logit > 1 ? 3 : 2) : logit > -1 ? 1 : 0;
    words[i >> 4]! |= code << ((i & 15) << 1);
  }
  return words;
}

function unpacked(words: Uint32Array, count: number): Float32Array {
  const logits = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    logits[i] = LOGITS[((words[i >> 4]! >>> ((i & 15) << 1)) & 3) as 0 | 1 | 2 | 3];
  }
  return logits;
}

function isInside(words: Uint32Array, sample: number): boolean {
  return ((words[sample >> 4]! >>> (((sample & 15) << 1) + 1)) & 1) === 1;
}

/** Intersection over union of two masks; 1 if both are empty. */
function overlap(a: Uint32Array, b: Uint32Array): number {
  let [both, any] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    // The upper bit of each pair is the sign.
    both += bitCount(a[i]! & b[i]! & 0xaaaaaaaa);
    any += bitCount((a[i]! | b[i]!) & 0xaaaaaaaa);
  }
  return any === 0 ? 1 : both / any;
}

function bitCount(word: number): number {
  let count = word - ((word >>> 1) & 0x55555555);
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333);
  return (((count + (count >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}
