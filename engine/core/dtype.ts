/** Numbers of the element types of pixels; `Dtype` in `engine/assembly/tile.ts` has the same. */
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

/** The number of an array's element type. @throws RangeError for an array without pixels */
export function dtypeOf(pixels: TypedArray): number {
  const dtype = DTYPES.findIndex(type => pixels instanceof type);
  if (dtype < 0) {
    throw new RangeError('Pixels must be a typed array of whole numbers of up to 32 bits or of floats.');
  }
  return dtype;
}
