/** Numbers of the element types of pixels; `engine/assembly/tile.ts` has the same. */
import { TypedArray } from './wasm';

const DTYPES = [
  Uint8Array,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array
] as const;

/** @throws RangeError for what is no array of pixels. */
export function dtypeOf(pixels: TypedArray): number {
  const dtype = DTYPES.findIndex(type => pixels instanceof type);
  if (dtype < 0) {
    throw new RangeError('Pixels are typed arrays of whole numbers or floats.');
  }
  return dtype;
}
