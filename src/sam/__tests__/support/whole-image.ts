/** Preprocessing in one call, for tests. Not a test. */
import { IModelManifest } from '../../../shared/models';
import { IDisplayRange, ISize, Preprocessor } from '../..';

/** The encoder's input of an image in memory: rows × columns × channels values. */
export function preprocessed(
  pixels: ArrayLike<number>,
  size: ISize,
  channels: number,
  display: IDisplayRange,
  manifest: IModelManifest
): Float32Array {
  const preprocessor = new Preprocessor(size, channels, display, manifest);
  preprocessor.add(pixels);
  return preprocessor.finish();
}
