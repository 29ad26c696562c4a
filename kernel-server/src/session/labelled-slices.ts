/** Which slices of a stack have labels, and whose labels are only interpolated. Counted when first asked for, then kept up to date. */
import { PROVENANCE_CODES } from '../../../src/shared/provenance';
import { breathe } from '../base/files';
import { IChange, Planes } from './planes';

/** Bytes of labels that are looked at between two turns of the event loop. */
const BYTES_AT_ONCE = 1 << 20;

/** Slices that have labels, in order. */
export interface ILabelledSlices {
  /** Slices of which another than interpolation made some labels. */
  labelled: number[];
  interpolated: number[];
}

export class LabelledSlices {
  /** `exclusive` runs work between two changes of the labels. */
  constructor(
    private readonly _planes: Planes,
    private readonly _exclusive: (work: () => Promise<void>) => Promise<void>
  ) {
    const { slices } = _planes.labels;
    this._counts = new Float64Array(slices).fill(-1);
    this._interpolated = new Float64Array(slices);
  }

  /** A change was written. */
  painted({ rect: { slice, layer }, before, after, made }: IChange): void {
    if (layer !== 'correction' && this._counts[slice]! >= 0) {
      this._add(slice, after, made?.after, 1);
      this._add(slice, before, made?.before, -1);
    }
  }

  /** All labels were replaced. */
  forget(): void {
    this._counts.fill(-1);
  }

  async list(): Promise<ILabelledSlices> {
    await this._exclusive(async () => {
      // Without labels there is nothing to look at.
      if (this._planes.pixels('labels') === 0) {
        this._counts.fill(0);
        this._interpolated.fill(0);
      }
    });
    for (let slice = 0; slice < this._counts.length; slice++) {
      if (this._counts[slice]! < 0) {
        await this._exclusive(() => this._count(slice));
      }
    }
    const all = [...this._counts.keys()].filter(slice => this._counts[slice]! > 0);
    const only = (slice: number) => this._counts[slice] === this._interpolated[slice];
    return { labelled: all.filter(slice => !only(slice)), interpolated: all.filter(only) };
  }

  private async _count(slice: number): Promise<void> {
    const { labels, provenance } = this._planes;
    const { rows, columns } = labels;
    const band = Math.max(1, Math.floor(BYTES_AT_ONCE / columns));
    this._counts[slice] = this._interpolated[slice] = 0;
    for (let row0 = 0; row0 < rows; row0 += band) {
      const rect = { slice, row0, row1: Math.min(rows, row0 + band), column0: 0, column1: columns };
      this._add(slice, labels.read(rect) as Uint8Array, provenance?.read(rect) as Uint8Array | undefined, 1);
      await breathe();
    }
  }

  private _add(slice: number, labels: Uint8Array, made: Uint8Array | undefined, sign: 1 | -1): void {
    let labelled = 0;
    let interpolated = 0;
    for (let i = 0; i < labels.length; i++) {
      if (labels[i] !== 0) {
        labelled++;
        interpolated += made?.[i] === PROVENANCE_CODES.interpolation ? 1 : 0;
      }
    }
    this._counts[slice]! += sign * labelled;
    this._interpolated[slice]! += sign * interpolated;
  }

  /** Labelled pixels of each slice; −1 if they are not counted. */
  private readonly _counts: Float64Array;
  /** How many of them an interpolation made. */
  private readonly _interpolated: Float64Array;
}
