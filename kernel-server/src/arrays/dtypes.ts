/** The element types of shared arrays, and sizes in bytes. */
import { TypedArray } from '../../../engine';
import { ArrayDescriptor, Dtype } from '../../../src/shared/protocol';

export type { TypedArray };

const CONSTRUCTORS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array
} as const;

/** Bytes of one element. */
export function itemSize(dtype: Dtype): number {
  return CONSTRUCTORS[dtype].BYTES_PER_ELEMENT;
}

/** Bytes of a whole array. */
export function byteLength(array: Pick<ArrayDescriptor, 'dtype' | 'shape'>): number {
  return array.shape.reduce((product, n) => product * n, itemSize(array.dtype));
}

/** A typed array of zeros. */
export function allocate(dtype: Dtype, length: number): TypedArray {
  return new CONSTRUCTORS[dtype](length);
}
