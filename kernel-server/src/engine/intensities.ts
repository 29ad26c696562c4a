/** Mean and deviation of images, computed on the pool and cached for images with a key. */
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { Lru } from '../../../src/shared/lru';
import { findIntensity, IIntensity, IMomentsPass } from '../../../engine';
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
    const search = findIntensity();
    let step = search.next();
    while (!step.done) {
      step = search.next(await this._moments(image, step.value, signal));
    }
    const intensity = step.value;
    if (key !== undefined) {
      this._kept.set(key, intensity);
    }
    return intensity;
  }

  /** The moments of all rows, or of the first. Each row is summed on its own, so neither threads nor bands change them. */
  private async _moments(image: ArrayDescriptor, pass: IMomentsPass, signal: AbortSignal): Promise<Float64Array> {
    const [slices, rows, columns, channels = 1] = image.shape as [number, number, number, number?];
    const { first, ...rest } = pass;
    const task = { kind: 'moments' as const, image, ...rest };
    const tasks: IMomentsTask[] = [];
    if (first) {
      tasks.push({ ...task, slice: 0, row0: 0, row1: 1 });
    } else {
      const band = Math.max(1, Math.floor(TASK_BYTES / (columns * channels * itemSize(image.dtype))));
      for (let slice = 0; slice < slices; slice++) {
        for (let row0 = 0; row0 < rows; row0 += band) {
          tasks.push({ ...task, slice, row0, row1: Math.min(rows, row0 + band) });
        }
      }
    }
    const parts: Float64Array[] = [];
    await this._pool.runAll(tasks, signal, (moments, i) => (parts[i] = moments));
    const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((offset, part) => (all.set(part, offset), offset + part.length), 0);
    return all;
  }

  private readonly _kept = new Lru<string, IIntensity>({ limit: KEPT_MAX });
}
