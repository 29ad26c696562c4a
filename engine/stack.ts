/**
 * The feature stack of one tile: float32 planes, and from them 8-bit bins in blocks of 4 × 4 pixels, the form in which forests read them.
 */
import { OP_NUMBERS } from '../src/kernel-bridge/features';
import { featureNames, featureProgram, type FeatureSpec, halo } from './features';
import { Cuts } from './quantile';
import { ITile } from './tile';
import { Engine, TypedArray } from './wasm';

/** Float32 planes of a tile: values of feature f at row r, column c are at `f * plane + r * stride + c`. */
export interface ITileFeatures {
  data: Float32Array;
  stride: number;
  plane: number;
}

/** Numbers of the element types; `engine/assembly/tile.ts` has the same. */
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

/** Bytes of a feature's table; `engine/assembly/quantise.ts` has the same. */
const TABLE_BYTES = 16 + 16384 + 16;

/** Blocks of 4 × 4 pixels that cover a tile. */
export function blocksOf(tile: ITile): { rows: number; columns: number; count: number } {
  const rows = Math.ceil((tile.row1 - tile.row0) / 4);
  const columns = Math.ceil((tile.column1 - tile.column0) / 4);
  return { rows, columns, count: rows * columns };
}

/** Floats in the planes of a tile. */
export function planeFloats(tile: ITile, features: number): number {
  return blocksOf(tile).count * 16 * features;
}

/** Computes tiles of the feature stack of one kind of image. Keeps an engine to itself. */
export class FeatureStack {
  constructor(
    private readonly _engine: Engine,
    private readonly _spec: FeatureSpec,
    readonly channels: number
  ) {
    this.halo = halo(_engine, _spec);
    const program = featureProgram(_spec);
    this._program = _engine.put(program);
    this._ops = program.length / OP_NUMBERS;
    this.count = featureNames(_spec, channels).length;
    this._bottom = _engine.mark;
  }

  readonly halo: number;
  /** Channels of the stack. */
  readonly count: number;

  /**
   * Compute the stack of a tile.
   *
   * @param source the tile's pixels with {@link halo} around, clipped at the image's edges; rows, columns, channels interleaved
   * @returns a view of the engine's memory, good until the next call of this object
   */
  compute(image: { rows: number; columns: number }, tile: ITile, source: TypedArray): ITileFeatures {
    const engine = this._engine;
    const { row0, row1, column0, column1 } = tile;
    const height = Math.min(image.rows, row1 + this.halo) - Math.max(0, row0 - this.halo);
    const width = Math.min(image.columns, column1 + this.halo) - Math.max(0, column0 - this.halo);
    if (source.length !== height * width * this.channels) {
      throw new RangeError(`${source.length} values are not ${height} × ${width} × ${this.channels}.`);
    }
    const dtype = DTYPES.findIndex(type => source instanceof type);
    if (dtype < 0) {
      throw new RangeError('Pixels are typed arrays of whole numbers or floats.');
    }
    const blocks = blocksOf(tile);
    const stride = blocks.columns * 4;
    const plane = blocks.rows * 4 * stride;
    const out = this._planes(plane * this.count);
    const mark = engine.mark;
    const pixels = engine.put(source);
    const [low, high] = this._spec.range ?? [0, 255];
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
        out,
        engine.mark
      )
    );
    engine.release(mark);
    return { data: engine.f32(out, plane * this.count), stride, plane };
  }

  /**
   * Quantise the planes of a tile.
   *
   * @param features planes as {@link compute} gave them, or a copy of them
   * @returns u8 [block][feature][16], a view of the engine's memory, good until the next call of this object
   */
  quantise(tile: ITile, features: Float32Array, cuts: Cuts): Uint8Array {
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

  /** Room for planes at the bottom of what belongs to a tile. */
  private _planes(floats: number): number {
    this._engine.release(this._cuts ? this._top : this._bottom);
    this._planesAddress = this._engine.allocate(floats * 4);
    return this._planesAddress;
  }

  private readonly _program: number;
  private readonly _ops: number;
  private readonly _bottom: number;
  private _top = 0;
  private _planesAddress: number | undefined;
  private _cuts: Cuts | undefined;
  private _cutsAddress = 0;
  private _tables = 0;
}
