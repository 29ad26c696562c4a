/** Mean and deviation of images, computed on the pool and cached for images with a key. */
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { Lru } from '../../../src/shared/lru';
import { IIntensity, intensityOf } from '../../../engine';
import { itemSize } from '../arrays/dtypes';
import { EnginePool } from './pool';
import { IMomentsTask } from './tasks';

/** Images in the cache. */
const KEPT_MAX = 256;
/** Bytes of pixels that one task reads. */
const TASK_BYTES = 4 << 20;

export class Intensities {
  constructor(private readonly _pool: EnginePool) {}

  /** @param key identifies the image's pixels; undefined: the result is not cached */
  async of(image: ArrayDescriptor, key: string | undefined, signal: AbortSignal): Promise<IIntensity> {
    const known = key === undefined ? undefined : this._kept.get(key);
    if (known) {
      return known;
    }
    const [slices, rows, columns, channels = 1] = image.shape as [number, number, number, number?];
    // Subtract the first row's mean: squares of large values with a small spread would lose precision.
    const first: IMomentsTask = { kind: 'moments', image, slice: 0, row0: 0, row1: 1, shift: 0 };
    let shift = 0;
    await this._pool.runAll([first], signal, moments => {
      const mean = Math.fround(intensityOf(moments, 0).mean);
      shift = Number.isFinite(mean) ? mean : 0;
    });
    const band = Math.max(1, Math.floor(TASK_BYTES / (columns * channels * itemSize(image.dtype))));
    const tasks: IMomentsTask[] = [];
    for (let slice = 0; slice < slices; slice++) {
      for (let row0 = 0; row0 < rows; row0 += band) {
        tasks.push({ kind: 'moments', image, slice, row0, row1: Math.min(rows, row0 + band), shift });
      }
    }
    const parts: Float64Array[] = [];
    await this._pool.runAll(tasks, signal, (moments, i) => (parts[i] = moments));
    const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((offset, part) => (all.set(part, offset), offset + part.length), 0);
    const intensity = intensityOf(all, shift);
    if (key !== undefined) {
      this._kept.set(key, intensity);
    }
    return intensity;
  }

  private readonly _kept = new Lru<string, IIntensity>({ limit: KEPT_MAX });
}
