/** Patches between memory and wire: bit masks, raw-deflate compressed, one buffer a tile. */
import { deflateSync, inflateSync } from 'fflate';
import { BridgeError, LABEL_TILE, LabelPatch } from '../../shared';
import { IMaskTile, MASK_BYTES } from './raster';

/** A change of labels with its masks inflated: in memory what {@link LabelPatch} and its buffers are on the wire. */
export interface IMaskedPatch {
  slice: number;
  /** 0 erases. */
  classId: number;
  preserve: boolean;
  tiles: IMaskTile[];
}

/** The request of a patch. */
export function encodePatch(session: string, patch: IMaskedPatch): { params: LabelPatch; buffers: Uint8Array[] } {
  return {
    params: {
      session,
      slice: patch.slice,
      class: patch.classId,
      preserve: patch.preserve,
      tiles: patch.tiles.map(({ row, column }) => ({ row, column }))
    },
    buffers: patch.tiles.map(tile => deflateSync(tile.bits))
  };
}

/** The masks of a patch that came. Throws BridgeError `malformed` for buffers that are no masks. */
export function decodePatch(params: LabelPatch, buffers: Uint8Array[]): IMaskedPatch {
  if (buffers.length !== params.tiles.length) {
    throw new BridgeError('malformed', `A patch of ${params.tiles.length} tiles came with ${buffers.length} buffers.`);
  }
  return {
    slice: params.slice,
    classId: params.class,
    preserve: params.preserve,
    tiles: params.tiles.map(({ row, column }, i) => ({ row, column, bits: inflate(buffers[i]!, MASK_BYTES) }))
  };
}

/** The class ids of an overlay's tile. */
export function decodeTile(buffer: Uint8Array): Uint8Array {
  return inflate(buffer, LABEL_TILE * LABEL_TILE);
}

function inflate(buffer: Uint8Array, expected: number): Uint8Array {
  // One byte more than is allowed, so that a longer stream shows.
  const out = new Uint8Array(expected + 1);
  let bytes: Uint8Array;
  try {
    bytes = inflateSync(buffer, { out });
  } catch (error) {
    throw new BridgeError('malformed', `A tile cannot be inflated: ${(error as Error).message}.`);
  }
  if (bytes.length !== expected) {
    throw new BridgeError('malformed', `A tile inflates to ${bytes.length} bytes; ${expected} are right.`);
  }
  return bytes.slice();
}
