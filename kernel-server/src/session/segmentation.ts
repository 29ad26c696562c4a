/**
 * The segmentation of a session: the classifier's prediction with the labels on top. It is a uint8 array that changes in place, so
 * processes that map it see each change. This class also counts the pixels of each class.
 */
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { clearOutside, clearRunOutside, OptionalRegion } from '../../../src/shared/region';
import { byteLength } from '../arrays/dtypes';
import { ReadOnlyTiles, TileFile } from '../arrays/tile-file';
import { breathe } from '../base/files';
import { ISegmentationArrays } from '../jobs/services';
import { layLabels } from './overlays';
import { PhaseCounts } from './phase-counts';
import type { IChange } from './planes';
import { SessionArrays } from './session-arrays';

/** Bytes that are combined between two turns of the event loop. */
const CHUNK = 1 << 20;

export class Segmentation {
  /**
   * @param _correction what the user has corrected: the counts are those of the segmentation under it
   * @param _region the part of the image that is worked on: outside, the segmentation is 0 and nothing is counted
   */
  constructor(
    private readonly _arrays: SessionArrays,
    private readonly _correction: () => ReadOnlyTiles | undefined = () => undefined,
    private readonly _region: () => OptionalRegion = () => null
  ) {}

  /** Round of live segmentation that made the prediction; undefined if a training by itself made it. */
  get round(): number | undefined {
    return this._round;
  }

  /** Pixels of each class id; undefined until they are counted. */
  get counts(): Record<string, number> | undefined {
    return this._phases?.counts;
  }

  /** The array `segmentation`; if there is none, a new one of that shape, which is not listed yet. */
  async array(shape: number[]): Promise<ArrayDescriptor> {
    return this._arrays.get('segmentation') ?? (await this._arrays.allocate('segmentation', 'uint8', shape));
  }

  /** List the results of a classifier. With `renews`, the results of the earlier classifier are removed. */
  async take(results: ISegmentationArrays, renews: boolean): Promise<void> {
    for (const name of ['prediction', 'probabilities', 'uncertainty'] as const) {
      const array = results[name];
      if (array) {
        await this._arrays.replace(name, array);
      } else if (renews) {
        await this._arrays.remove(name);
      }
    }
  }

  /** A new prediction is listed: open it and write the segmentation anew. */
  async renew(segmentation: ArrayDescriptor, labels: ArrayDescriptor, round: number | undefined): Promise<void> {
    this._arrays.set('segmentation', segmentation);
    this._round = round;
    this.open();
    await this.recombine(labels);
  }

  /** Open the files of the arrays that are listed now. */
  open(): void {
    const prediction = this._arrays.get('prediction');
    const segmentation = this._arrays.get('segmentation');
    this._prediction?.close();
    if (!prediction || segmentation?.path !== this._file?.array.path) {
      this._phases = undefined;
    }
    this._file?.close();
    this._prediction = prediction && segmentation ? new TileFile(prediction, 'r') : undefined;
    this._file = prediction && segmentation ? new TileFile(segmentation, 'r+') : undefined;
  }

  /** Close the files. */
  close(): void {
    this._prediction?.close();
    this._file?.close();
    this._prediction = this._file = this._phases = undefined;
  }

  /** Write the whole segmentation from prediction and labels; nothing if there is no prediction. */
  async recombine(labels: ArrayDescriptor): Promise<void> {
    const drawn = new TileFile(labels, 'r');
    try {
      await this._count();
      const bytes = byteLength(labels);
      for (let position = 0; position < bytes; position += CHUNK) {
        if (!this._prediction || !this._file) {
          return; // there is no prediction, or the image was replaced meanwhile
        }
        const length = Math.min(CHUNK, bytes - position);
        const out = this._prediction.readBytes(position, length);
        layLabels(out, drawn.readBytes(position, length));
        clearRunOutside(out, position, labels.shape, this._region());
        const over = this._correctionAt(position, length, labels.shape);
        this._phases?.replace(under(over, this._file.readBytes(position, length)), under(over, out));
        this._file.writeBytes(position, out);
        await breathe();
      }
    } finally {
      drawn.close();
    }
    this._arrays.bump('segmentation');
  }

  /** Labels or corrections changed in a rectangle: lay the labels on the prediction, or count the corrected pixels. */
  follow({ rect, before, after }: Pick<IChange, 'rect' | 'before' | 'after'>): void {
    if (!this._prediction || !this._file) {
      return;
    }
    const now = this._file.read(rect) as Uint8Array;
    const inside = (bytes: Uint8Array | undefined) => {
      const own = this._region() ? bytes?.slice() : bytes;
      if (own) {
        clearOutside(own, rect, this._region());
      }
      return own;
    };
    if (rect.layer === 'correction') {
      this._phases?.replace(under(inside(before), now), under(inside(after), now));
      return;
    }
    const out = this._prediction.read(rect) as Uint8Array;
    layLabels(out, after);
    clearOutside(out, rect, this._region());
    const over = inside(this._correction()?.read(rect) as Uint8Array | undefined);
    this._phases?.replace(under(over, now), under(over, out));
    this._file.write(rect, out);
    this._arrays.bump('segmentation');
  }

  /** The region changed: write the segmentation and count anew. */
  async regionChanged(labels: ArrayDescriptor): Promise<void> {
    this._round = undefined; // its tiles on pages are outdated
    await this.recount(labels);
  }

  /** The labels, and perhaps the correction, were replaced as a whole: write the segmentation and count anew. */
  async recount(labels: ArrayDescriptor): Promise<void> {
    this._phases = undefined;
    await this.recombine(labels);
  }

  /** A run of the correction's bytes, 0 outside of the region. */
  private _correctionAt(position: number, length: number, shape: readonly number[]): Uint8Array | undefined {
    const over = this._correction()?.readBytes(position, length);
    if (over) {
      clearRunOutside(over, position, shape, this._region());
    }
    return over;
  }

  /** Count the pixels of each class, unless the counts are known. */
  private async _count(): Promise<void> {
    const file = this._file;
    while (file && file === this._file && !this._phases) {
      const version = this._arrays.get('segmentation')?.version;
      const bytes = byteLength(file.array);
      const phases = new PhaseCounts();
      for (let position = 0; position < bytes && file === this._file; position += CHUNK) {
        const length = Math.min(CHUNK, bytes - position);
        const over = this._correctionAt(position, length, file.array.shape);
        phases.add(under(over, file.readBytes(position, length)));
        await breathe();
      }
      // If a tile changed meanwhile, its pixels may be counted from before or after the change: count again.
      if (file === this._file && version === this._arrays.get('segmentation')?.version) {
        this._phases = phases;
      }
    }
  }

  private _prediction: TileFile | undefined;
  private _file: TileFile | undefined;
  /** Pixels of each class in {@link _file}, once they are counted. */
  private _phases: PhaseCounts | undefined;
  private _round: number | undefined;
}

/** A segmentation under a correction. */
function under(correction: Uint8Array | undefined, segmentation: Uint8Array): Uint8Array {
  if (!correction) {
    return segmentation;
  }
  const out = segmentation.slice();
  layLabels(out, correction);
  return out;
}
