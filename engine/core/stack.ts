/**
 * The feature stack of a tile: float32 planes, quantised to 8-bit bins in blocks of 4 × 4 pixels, which forests read. The channels of the
 * families come first, then those of the embedding.
 */
import { OP_NUMBERS } from '../../src/shared/features';
import { Rect } from '../../src/shared/rect';
import { ILayerMaps, ISliceMaps } from './embedding';
import { embeddingNames, familyNames, featureProgram, type FeatureSpec, halo } from './features';
import { Cuts } from './quantile';
import { dtypeOf } from './dtype';
import { IIntensity, standardised } from './intensity';
import { Engine, TypedArray } from './wasm';

/** Float32 planes of a tile: values of feature f at row r, column c are at `f * plane + r * stride + c`. */
export interface ITileFeatures {
  data: Float32Array;
  stride: number;
  plane: number;
}

/** Bytes of a feature's table; `engine/assembly/quantise.ts` has the same. */
const TABLE_BYTES = 16 + 16384 + 16;

/** Blocks of 4 × 4 pixels that cover a tile. */
export function blocksOf(tile: Rect): { rows: number; columns: number; count: number } {
  const rows = Math.ceil((tile.row1 - tile.row0) / 4);
  const columns = Math.ceil((tile.column1 - tile.column0) / 4);
  return { rows, columns, count: rows * columns };
}

/** An image's size, and its intensity where features need it. */
export interface IImageSize {
  rows: number;
  columns: number;
  intensity?: IIntensity;
}

/** Floats in the planes of a tile. */
export function planeFloats(tile: Rect, features: number): number {
  return blocksOf(tile).count * 16 * features;
}

/** Computes tiles of the feature stack of one kind of image. Keeps an engine to itself. */
export class FeatureStack {
  /** @param families false computes the embedding's channels only */
  constructor(
    private readonly _engine: Engine,
    private readonly _spec: FeatureSpec,
    readonly channels: number,
    families = true
  ) {
    const program = families ? featureProgram(_spec) : new Float64Array();
    this.halo = families ? halo(_engine, _spec) : 0;
    this._program = _engine.put(program);
    this._ops = program.length / OP_NUMBERS;
    this._families = families ? familyNames(_spec, channels).length : 0;
    this.count = this._families + embeddingNames(_spec).length;
    this._bottom = _engine.mark;
  }

  readonly halo: number;
  /** Channels of the stack. */
  readonly count: number;

  /**
   * Compute the stack of a tile.
   *
   * @param source the tile's pixels with {@link halo} around, clipped at the image's edges; rows, columns, channels interleaved. Only the
   * families read it.
   * @param embedding the slice's reduced embedding; needed if the spec has one
   * @returns a view of the engine's memory, good until the next call of this object
   * @throws RangeError for pixels or an embedding that do not fit
   */
  compute(image: IImageSize, tile: Rect, source: TypedArray, embedding?: ISliceMaps): ITileFeatures {
    const maps = this._mapsOf(embedding);
    const blocks = blocksOf(tile);
    const stride = blocks.columns * 4;
    const plane = blocks.rows * 4 * stride;
    const out = this._planes(plane * this.count);
    if (this._families > 0) {
      this._computeFamilies(image, tile, source, out);
    }
    let next = out + this._families * plane * 4;
    for (const map of maps) {
      this._computeEmbedding(map, tile, next);
      next += map.components * plane * 4;
    }
    return { data: this._engine.f32(out, plane * this.count), stride, plane };
  }

  private _computeFamilies(image: IImageSize, tile: Rect, source: TypedArray, out: number): void {
    const engine = this._engine;
    const { row0, row1, column0, column1 } = tile;
    const height = Math.min(image.rows, row1 + this.halo) - Math.max(0, row0 - this.halo);
    const width = Math.min(image.columns, column1 + this.halo) - Math.max(0, column0 - this.halo);
    if (source.length !== height * width * this.channels) {
      throw new RangeError(`${source.length} values are not ${height} × ${width} × ${this.channels}.`);
    }
    const dtype = dtypeOf(source);
    const mark = engine.mark;
    const pixels = engine.put(source);
    const [low, high] = this._spec.range ?? [0, 255];
    if (this._spec.standardise && !image.intensity) {
      throw new RangeError('These features need the mean and the deviation of the image.');
    }
    const { origin, gain } = standardised(this._spec.standardise ? image.intensity! : null);
    engine.run(kernels =>
      kernels.computeTile(
        this._program,
        this._ops,
        image.rows,
        image.columns,
        row0,
        row1,
        column0,
        column1,
        this.halo,
        pixels,
        dtype,
        this.channels,
        this._spec.color === 'luminance' ? 1 : 0,
        low,
        high,
        origin,
        gain,
        this._spec.standardise ? 1 : 0,
        out,
        engine.mark
      )
    );
    engine.release(mark);
  }

  /** Write the planes of a map, from the part of its grid that the tile needs. */
  private _computeEmbedding(map: ILayerMaps, inImage: Rect, out: number): void {
    const engine = this._engine;
    const { components, rows, columns, cell, data, origin = { row: 0, column: 0 } } = map;
    // In the pixels of the part that the maps cover; beyond it the places are clamped.
    const tile = {
      row0: inImage.row0 - origin.row,
      row1: inImage.row1 - origin.row,
      column0: inImage.column0 - origin.column,
      column1: inImage.column1 - origin.column
    };
    const place = (pixel: number, count: number) =>
      Math.floor(Math.max(0, Math.min(count - 1, (pixel + 0.5) / cell - 0.5)));
    const row = place(tile.row0, rows);
    const column = place(tile.column0, columns);
    const height = Math.min(rows, place(tile.row1 - 1, rows) + 2) - row;
    const width = Math.min(columns, place(tile.column1 - 1, columns) + 2) - column;
    const mark = engine.mark;
    const cells = engine.allocate(components * height * width * 4);
    const crop = engine.f32(cells, components * height * width);
    let to = 0;
    for (let component = 0; component < components; component++) {
      for (let r = row; r < row + height; r++) {
        const from = (component * rows + r) * columns + column;
        crop.set(data.subarray(from, from + width), to);
        to += width;
      }
    }
    engine.run(kernels =>
      kernels.embedTile(
        cells,
        components,
        row,
        column,
        height,
        width,
        rows,
        columns,
        cell,
        tile.row0,
        tile.row1,
        tile.column0,
        tile.column1,
        out,
        engine.mark
      )
    );
    engine.release(mark);
  }

  /** An embedding's maps, checked against the spec. */
  private _mapsOf(embedding: ISliceMaps = []): ISliceMaps {
    const layers = this._spec.embedding?.layers ?? [];
    if (layers.length > 0 && embedding.length !== layers.length) {
      throw new RangeError(
        `These features need an embedding of ${layers.length} layers; ${embedding.length} are given.`
      );
    }
    return layers.map(({ layer, components }, i) => {
      const map = embedding[i]!;
      if (map.components !== components) {
        throw new RangeError(`The layer ${layer} has ${map.components} components instead of ${components}.`);
      }
      const { rows, columns, cell, data } = map;
      if (!(rows > 0 && columns > 0 && cell > 0 && data.length === components * rows * columns)) {
        throw new RangeError(
          `${data.length} values are not ${components} × ${rows} × ${columns} of the layer ${layer}.`
        );
      }
      return map;
    });
  }

  /**
   * Quantise the planes of a tile.
   *
   * @param features planes as {@link compute} gave them, or a copy of them
   * @returns u8 [block][feature][16], a view of the engine's memory, good until the next call of this object
   */
  quantise(tile: Rect, features: Float32Array, cuts: Cuts): Uint8Array {
    const engine = this._engine;
    if (this._cuts !== cuts) {
      engine.release(this._bottom);
      this._cuts = undefined;
      const copy = this._planesAddress !== undefined && features.buffer === engine.kernels.memory.buffer;
      const kept = copy ? features.slice() : features;
      this._planesAddress = undefined;
      this._cutsAddress = engine.put(cuts.padded());
      this._tables = engine.allocate(this.count * TABLE_BYTES);
      engine.kernels.buildTables(this._cutsAddress, this.count, this._tables);
      this._top = engine.mark;
      this._cuts = cuts;
      features = kept;
    }
    const blocks = blocksOf(tile);
    const stride = blocks.columns * 16;
    const plane = blocks.rows * 4 * stride;
    const inside = features.buffer === engine.kernels.memory.buffer;
    const planes = inside ? features.byteOffset : this._planes(features.length);
    if (!inside) {
      engine.f32(planes, features.length).set(features);
    }
    const mark = engine.mark;
    const bytes = blocks.count * 16 * this.count;
    const out = engine.allocate(bytes);
    const { kernels } = engine;
    kernels.quantise(
      planes,
      plane,
      stride,
      blocks.rows,
      blocks.columns,
      this.count,
      this._cutsAddress,
      this._tables,
      out
    );
    engine.release(mark);
    return engine.u8(out, bytes);
  }

  /** Release the last tile's memory and allocate planes. */
  private _planes(floats: number): number {
    this._engine.release(this._cuts ? this._top : this._bottom);
    this._planesAddress = this._engine.allocate(floats * 4);
    return this._planesAddress;
  }

  private readonly _program: number;
  private readonly _ops: number;
  /** Channels of the families. */
  private readonly _families: number;
  private readonly _bottom: number;
  private _top = 0;
  private _planesAddress: number | undefined;
  private _cuts: Cuts | undefined;
  private _cutsAddress = 0;
  private _tables = 0;
}
