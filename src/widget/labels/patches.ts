/** Patches between memory and wire. On the wire each tile's bit mask is one buffer, compressed with raw deflate. */
import { deflateSync, inflateSync } from 'fflate';
import { BridgeError, LABEL_TILE, LabelPatch, Layer, MadeBy, MASK_BYTES, Replaces, SliceDirection } from '../../shared';
import { IMaskTile } from './raster';

/** A change of labels with its masks inflated: in memory what {@link LabelPatch} and its buffers are on the wire. */
export interface IMaskedPatch {
  /** Left out for labels. */
  layer?: Layer;
  /** Of its slice; left out for xy. */
  direction?: SliceDirection;
  slice: number;
  /** 0 erases. */
  classId: number;
  /** The labels that it may change; 0 is unlabelled. */
  replaces: Replaces;
  /** Classes that stay, in the segmentation with its correction; left out for labels. */
  keeps?: readonly number[];
  tiles: IMaskTile[];
  /** What made it; left out for another peer's patch whose sender does not say it. */
  made?: MadeBy;
}

/** The request of a patch. */
export function encodePatch(session: string, patch: IMaskedPatch): { params: LabelPatch; buffers: Uint8Array[] } {
  return {
    params: {
      session,
      ...(patch.layer && { layer: patch.layer }),
      ...(patch.direction && patch.direction !== 'xy' && { direction: patch.direction }),
      slice: patch.slice,
      class: patch.classId,
      replaces: patch.replaces,
      ...(patch.keeps && { keeps: [...patch.keeps] }),
      tiles: patch.tiles.map(({ row, column }) => ({ row, column })),
      ...(patch.made && { made: patch.made })
    },
    buffers: patch.tiles.map(({ bits }) => encodeMask(bits))
  };
}

/** Deflate the mask of a tile. */
export function encodeMask(bits: Uint8Array): Uint8Array {
  return deflateSync(bits);
}

/** Inflate the masks of a received patch. @throws BridgeError `malformed` for buffers that are no masks. */
export function decodePatch(params: LabelPatch, buffers: Uint8Array[]): IMaskedPatch {
  if (buffers.length !== params.tiles.length) {
    throw new BridgeError('malformed', `A patch of ${params.tiles.length} tiles has ${buffers.length} buffers.`);
  }
  return {
    slice: params.slice,
    classId: params.class,
    replaces: params.replaces,
    tiles: params.tiles.map(({ row, column }, i) => ({ row, column, bits: decodeMask(buffers[i]!) }))
  };
}

/** Inflate the mask of a tile. @throws BridgeError `malformed` */
export function decodeMask(buffer: Uint8Array): Uint8Array {
  return inflate(buffer, MASK_BYTES);
}

/** Inflate a tile of one byte a pixel. @throws BridgeError `malformed` */
export function decodeTile(buffer: Uint8Array): Uint8Array {
  return inflate(buffer, LABEL_TILE * LABEL_TILE);
}

/** Inflate so many bytes. @throws BridgeError `malformed` */
export function inflate(buffer: Uint8Array, expected: number): Uint8Array {
  // One byte more than expected, to notice a longer stream.
  const out = new Uint8Array(expected + 1);
  let bytes: Uint8Array;
  try {
    bytes = inflateSync(buffer, { out });
  } catch (error) {
    throw new BridgeError('malformed', `A mask or tile cannot be inflated: ${(error as Error).message}.`);
  }
  if (bytes.length !== expected) {
    throw new BridgeError('malformed', `A mask or tile inflates to ${bytes.length} bytes instead of ${expected}.`);
  }
  return bytes.slice();
}
