/**
 * What an encoder (SAM's) sees of an image, in the form in which classifiers see it: a few principal components of each layer, on a coarse grid,
 * read between its cells bilinearly.
 *
 * A {@link IEmbeddingBasis} says how the channels of each layer become components: component = matrix · (channels − mean). It is fitted once
 * for a session and goes into its classifiers. {@link ISliceEmbedding} is one slice under a basis.
 *
 * Component k at pixel (row, column) is the bilinear value at ((row + ½) / cell − ½, (column + ½) / cell − ½) of the map's grid, which is clamped
 * to the grid. So a tile's values depend on nothing but the pixel's place in the image: tiled equals untiled.
 */

/** One layer. */
export interface IBasisLayer {
  layer: string;
  /** Channels of the layer, and components that are made of them. */
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

/** One layer of a slice, reduced: float32 [component][row][column] over the image from its upper left on. */
export interface IEmbeddingMap {
  /** In shared memory, so that threads take it as it is. */
  data: Float32Array;
  components: number;
  rows: number;
  columns: number;
  /** Pixels of the image under a side of one of its cells. */
  cell: number;
}

/** A slice under a basis: one map for each of its layers, in their order. */
export type ISliceEmbedding = readonly IEmbeddingMap[];
