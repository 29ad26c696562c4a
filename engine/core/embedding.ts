/**
 * The types of the embedding as classifiers see it: SAM's encoder gives layers of channels on a coarse grid, which are reduced to a few principal
 * components each (maps) and interpolated bilinearly.
 *
 * A {@link IEmbeddingBasis} says how the channels of each layer become components: component = matrix · (channels − mean). It is fitted once
 * for a session and goes into its classifiers. {@link ISliceMaps} is one slice under a basis.
 *
 * Component k at pixel (row, column) is the bilinear value at ((row + ½) / cell − ½, (column + ½) / cell − ½) of the map's grid, which is clamped
 * to the grid. So a value depends only on the pixel's place in the image: tiled equals untiled.
 */

/** One layer's part of a basis. */
export interface IBasisLayer {
  layer: string;
  /** Channels of the layer; `components` are made of them. */
  channels: number;
  components: number;
  /** float32 [channels] */
  mean: Float32Array;
  /** float32 [components][channels] */
  matrix: Float32Array;
}

/** How a model's embedding is reduced. */
export interface IEmbeddingBasis {
  /** Id of the model. */
  model: string;
  /** SHA-256 of the encoder's file, in hexadecimal. */
  digest: string;
  layers: IBasisLayer[];
}

/** The maps of one layer of a slice: float32 [component][row][column] over the image, or a part of it, from its upper left on. */
export interface ILayerMaps {
  /** In shared memory, so that threads need no copy. */
  data: Float32Array;
  components: number;
  rows: number;
  columns: number;
  /** Pixels of the image under a side of one of its cells. */
  cell: number;
  /** The pixel of the image at the maps' upper left, if they are those of a part of it; places count from there. Default: the image's. */
  origin?: { row: number; column: number };
}

/** The maps of a slice: those of each layer, in the order of the basis. */
export type ISliceMaps = readonly ILayerMaps[];
