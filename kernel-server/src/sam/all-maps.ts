/** All maps of a slice at once, without a session: for benchmarks and tests. */
import type { IEmbeddingBasis } from '../../../engine/core/embedding';
import type { EmbeddingSpec } from '../../../src/shared/features';
import type { ArrayDescriptor, ImageInfo } from '../../../src/shared/protocol';
import { EncoderWindows } from '../../../src/sam';
import type { IJobContext } from '../jobs/job-context';
import type { ISamService } from '../jobs/services';
import { WindowedMaps } from './windowed-maps';

/** All maps of a slice, under a basis of its own if none is given. */
export async function reduceAll(
  sam: ISamService,
  image: ArrayDescriptor,
  display: ImageInfo['display'],
  slice: number,
  spec: EmbeddingSpec,
  basis: IEmbeddingBasis | null,
  context: IJobContext,
  whole?: Parameters<ISamService['reduce']>[7]
) {
  sam.checkSpec(spec);
  const [, rows, columns] = image.shape as [number, number, number];
  const maps = new WindowedMaps(
    new EncoderWindows({ rows, columns }, spec.window!, sam.manifest),
    spec.layers,
    sam.manifest
  );
  const { count, spread } = maps.windows;
  const reduce = async (used: IEmbeddingBasis | null, windows: number[]) => {
    const made = await sam.reduce(image, display, slice, spec, used, windows, context, whole);
    windows.forEach((index, i) => maps.add(index, made.windows[i]!));
    return made;
  };
  const all = Array.from({ length: count }, (_, i) => i);
  const first = await reduce(basis, basis ? all : spread);
  if (!maps.isComplete) {
    await reduce(
      first.basis,
      all.filter(index => !spread.includes(index))
    );
  }
  return { ...first, maps: maps.maps };
}
