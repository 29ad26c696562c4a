/** A worker thread of the engine. It runs one task at a time, opens shared arrays itself, and replies with the result or the error. */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { constants, deflateRawSync } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { Rect } from '../../../src/shared/rect';
import {
  blocksOf,
  addToCells,
  cleaned,
  emptyCells,
  type IPhaseCells,
  Engine,
  compileEngine,
  Cuts,
  FeatureStack,
  featureKey,
  ForestApplier,
  GUIDE_CHANNEL,
  GUIDE_SPEC,
  intensityStep,
  LabelInterpolation,
  ISegmentedTile,
  quantileCuts,
  refineTile,
  rowMoments
} from '../../../engine';
import { BoostGrower, joinTrees, TreeGrower } from '../../../engine';
import { readRect, writeRect } from '../arrays/tile-file';
import { SharedMemoryMeter } from '../base/shared-memory';
import {
  EngineTask,
  IBoosted,
  IBoostTask,
  ICleanTask,
  ICutsTask,
  IGrowTask,
  IInterpolateTask,
  IMomentsTask,
  INamedCuts,
  IPhasesTask,
  IPlanesTask,
  IPreviewTask,
  IPiece,
  IQuantiseTask,
  ISampleTask,
  ISegmentPart,
  ISegmentTask,
  IStoreTask,
  ITileRequest,
  IWorkerRequest,
  WorkerReply
} from './tasks';

const { wasm, threads } = workerData as { wasm: string; threads: number };
const compiled = compileEngine(readFileSync(wasm));
const meter = new SharedMemoryMeter(threads);

/** A grower larger than this is dropped after its task: loading the rows again costs less than holding the memory. */
const GROWER_BYTES = 256 << 20;
/** The next classifier reuses an applier's memory up to this size, since fresh pages cost more than the work in them. */
const APPLIER_BYTES = 128 << 20;

/** The latest stack of one kind. All specs share one WASM memory, since a second one would stay until it is garbage-collected. */
interface IStack {
  engine: Engine;
  bottom: number;
  key?: string;
  value?: FeatureStack;
  cuts?: { name: string; value: Cuts };
}

/** Two, since training grows two ensembles side by side: one of them finds the best number of rounds. */
const BOOSTERS = 2;

/** State kept between tasks: the latest of each kind, since tasks of one job follow each other. */
const stacks: Partial<Record<'families' | 'embedding' | 'guide', IStack>> = {};
let momentsEngine: Engine | undefined;
let grower: { job: number; value: TreeGrower } | undefined;
let boosters: { job: number; value: BoostGrower }[] = [];
let applier: { job: number; engine: Engine; bottom: number; value: ForestApplier } | undefined;

parentPort!.on('message', ({ id, task }: IWorkerRequest) => {
  let reply: WorkerReply;
  try {
    reply = { id, result: run(task) };
  } catch (error) {
    const { code, message } = BridgeError.from(error);
    reply = { id, code, message };
  }
  parentPort!.postMessage(reply);
  // Cached bins outlive the task. Only new shared memory counts, as it may soon be garbage.
  const fresh = task.kind === 'segment' ? task.parts.map(({ blocks, ready }) => (ready ? undefined : blocks)) : [];
  for (const value of [...(Object.values(task) as unknown[]), ...fresh]) {
    if (ArrayBuffer.isView(value) && value.buffer instanceof SharedArrayBuffer) {
      meter.add(value.byteLength);
    }
  }
});

function run(task: EngineTask): unknown {
  switch (task.kind) {
    case 'planes':
      return planes(task);
    case 'cuts':
      return findCuts(task);
    case 'quantise':
      return quantise(task);
    case 'store':
      return storeFeatures(task);
    case 'grow':
      return grow(task);
    case 'boost':
      return boost(task);
    case 'segment':
      return segment(task);
    case 'moments':
      return moments(task);
    case 'clean':
      return clean(task);
    case 'phases':
      return phases(task);
    case 'interpolate':
      return interpolate(task);
    case 'sample':
      return sample(task);
    case 'preview':
      return preview(task);
  }
}

/** The stack of a request's features. The embedding's and the guide's stacks are kept beside the families', since each tile uses all of them. */
function stackFor({ image, spec, part }: Pick<ITileRequest, 'image' | 'spec' | 'part'>) {
  const place = spec === GUIDE_SPEC ? 'guide' : part === 'embedding' ? 'embedding' : 'families';
  let found = stacks[place];
  if (!found) {
    const engine = new Engine(compiled);
    found = stacks[place] = { engine, bottom: engine.mark };
  }
  const channels = image.shape[3] ?? 1;
  const key = `${channels} ${part} ${featureKey(spec)}`;
  if (!found.value || found.key !== key) {
    found.engine.release(found.bottom);
    found.value = new FeatureStack(found.engine, spec, channels, part !== 'embedding');
    found.key = key;
  }
  return { stack: found.value, place: found };
}

function quantised(request: ITileRequest, features: Float32Array, { name, padded }: INamedCuts): Uint8Array {
  const { stack, place } = stackFor(request);
  // The same cuts arrive as another view each time; building tables again is what comparing their names saves.
  if (place.cuts?.name !== name) {
    place.cuts = { name, value: Cuts.fromPadded(padded) };
  }
  return stack.quantise(request.tile, features, place.cuts.value);
}

function compute(request: ITileRequest) {
  const { image, slice, tile, part, maps, intensity } = request;
  const [, rows, columns] = image.shape as [number, number, number];
  const { stack } = stackFor(request);
  const region = {
    row0: Math.max(0, tile.row0 - stack.halo),
    row1: Math.min(rows, tile.row1 + stack.halo),
    column0: Math.max(0, tile.column0 - stack.halo),
    column1: Math.min(columns, tile.column1 + stack.halo)
  };
  const source = part === 'embedding' ? new Uint8Array() : readRect(image, { slice, ...region });
  return stack.compute({ rows, columns, ...(intensity && { intensity }) }, tile, source, maps);
}

function planes(task: IPlanesTask): void {
  const { data, stride, plane } = compute(task);
  task.planes?.set(data);
  const { values, positions, offset, length } = task.sample;
  const columns = task.tile.column1 - task.tile.column0;
  for (let feature = 0; feature * plane < data.length; feature++) {
    positions.forEach((position, i) => {
      const row = Math.floor(position / columns);
      values[feature * length + offset + i] = data[feature * plane + row * stride + (position - row * columns)]!;
    });
  }
}

function sample(task: ISampleTask): Float32Array {
  const { data, stride, plane } = compute(task);
  const columns = task.tile.column1 - task.tile.column0;
  return Float32Array.from(task.positions, position => {
    const row = Math.floor(position / columns);
    return data[task.channel * plane + row * stride + (position - row * columns)]!;
  });
}

function preview(task: IPreviewTask): Uint8Array {
  const { data, stride, plane } = compute(task);
  const { tile, channel, low, high, side } = task;
  const columns = tile.column1 - tile.column0;
  const out = new Uint8ClampedArray(side * side);
  for (let row = 0; row < tile.row1 - tile.row0; row++) {
    const from = channel * plane + row * stride;
    for (let column = 0; column < columns; column++) {
      out[row * side + column] = ((data[from + column]! - low) / (high - low)) * 255;
    }
  }
  return new Uint8Array(out.buffer);
}

function findCuts({ values, length, first, end, padded }: ICutsTask): void {
  for (let feature = first; feature < end; feature++) {
    padded.fill(Infinity, feature * 256, feature * 256 + 256);
    padded.set(quantileCuts(values.slice(feature * length, (feature + 1) * length)), feature * 256);
  }
}

function quantise(task: IQuantiseTask): void {
  const features = task.planes ?? compute(task).data;
  task.blocks.set(quantised(task, features, task.cuts));
}

function storeFeatures(task: IStoreTask): void {
  const { data, stride, plane } = compute(task);
  const { tile, out } = task;
  const count = data.length / plane;
  const columns = tile.column1 - tile.column0;
  const row = new Float32Array(columns * count);
  for (let r = 0; r < tile.row1 - tile.row0; r++) {
    for (let feature = 0; feature < count; feature++) {
      const from = feature * plane + r * stride;
      for (let c = 0; c < columns; c++) {
        row[c * count + feature] = data[from + c]!;
      }
    }
    // The output array holds one slice.
    writeRect(out, { slice: 0, ...tile, row0: tile.row0 + r, row1: tile.row0 + r + 1 }, row);
  }
}

function grow({ job, set, options, first, end, outOfBag }: IGrowTask) {
  if (grower?.job !== job) {
    grower = undefined;
    grower = { job, value: new TreeGrower(new Engine(compiled), set, options) };
  }
  const { value } = grower;
  value.clearOutOfBag();
  const grown = Array.from({ length: end - first }, (_, i) => value.grow(first + i));
  const importance = new Float64Array(grown.length * set.features);
  grown.forEach((tree, i) => importance.set(tree.importance, i * set.features));
  const trees = joinTrees(
    grown.map(tree => tree.trees),
    set.classes
  );
  value.outOfBag.forEach((votes, i) => {
    if (votes) {
      Atomics.add(outOfBag, i, votes);
    }
  });
  if (value.bytes > GROWER_BYTES) {
    grower = undefined;
  }
  return { trees, importance };
}

function boost({ job, set, held, params, first, end, scores }: IBoostTask): IBoosted[] {
  let own = boosters.find(other => other.job === job);
  if (!own) {
    own = { job, value: new BoostGrower(new Engine(compiled), set, held, params) };
    boosters = [own, ...boosters].slice(0, BOOSTERS);
  }
  const { value } = own;
  value.scores.set(scores);
  const rounds = Array.from({ length: end - first }, (_, i) => ({
    ...value.grow(first + i),
    heldOut: value.heldOut()
  }));
  scores.set(value.scores);
  if (value.bytes > GROWER_BYTES) {
    boosters = boosters.filter(other => other !== own);
  }
  return rounds;
}

function moments({ image, slice, row0, row1, ...pass }: IMomentsTask): Float64Array {
  const [, , columns, channels = 1] = image.shape as [number, number, number, number?];
  const step = intensityStep(image.shape);
  const parts: Float64Array[] = [];
  const engine = (momentsEngine ??= new Engine(compiled));
  // Without subsampling, read all rows at once.
  const band = step === 1 ? row1 - row0 : 1;
  for (let row = Math.ceil(row0 / step) * step; row < row1; row += step === 1 ? band : step) {
    const values = readRect(image, { slice, row0: row, row1: row + band, column0: 0, column1: columns });
    parts.push(rowMoments(engine, values, columns * channels, pass));
  }
  const out = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((offset, part) => (out.set(part, offset), offset + part.length), 0);
  return out;
}

function clean({ segmentation, correction, slice, cleaning }: ICleanTask): Uint8Array[] {
  const [slices, rows, columns] = segmentation.shape as [number, number, number];
  const rect = { row0: 0, row1: rows, column0: 0, column1: columns };
  const read = (at: number) => {
    const below = readRect(segmentation, { slice: at, ...rect }) as Uint8Array;
    const over = correction && (readRect(correction, { slice: at, ...rect }) as Uint8Array);
    return over ? below.map((id, pixel) => over[pixel]! || id) : below;
  };
  const ids =
    slice === undefined ? { slices, rows, columns, read } : { slices: 1, rows, columns, read: () => read(slice) };
  return Array.from(cleaned(ids, cleaning), out => deflateRawSync(out, { level: constants.Z_BEST_SPEED }));
}

function phases({ segmentation, correction, region, slice, row0, row1 }: IPhasesTask): IPhaseCells {
  const { column0, column1 } = region;
  const rect = { slice, row0, row1, column0, column1 };
  const ids = readRect(segmentation, rect) as Uint8Array;
  const over = correction && (readRect(correction, rect) as Uint8Array);
  const cells = emptyCells(region.row1 - region.row0, column1 - column0);
  addToCells(cells, over ? ids.map((id, i) => over[i]! || id) : ids, column1 - column0, row0 - region.row0);
  return cells;
}

function interpolate({ labels, before, after }: IInterpolateTask): Uint8Array[] {
  const [, rows, columns] = labels.shape as [number, number, number];
  const read = (slice: number) =>
    readRect(labels, { slice, row0: 0, row1: rows, column0: 0, column1: columns }) as Uint8Array;
  const both = new LabelInterpolation(read(before), read(after), columns);
  return Array.from({ length: after - before - 1 }, (_, i) =>
    deflateRawSync(both.at((i + 1) / (after - before)), { level: constants.Z_BEST_SPEED })
  );
}

/** The bins of one part of a tile's features. */
function binsOf(task: ISegmentTask, { part, spec, maps, cuts, blocks, ready, pieces }: ISegmentPart): Uint8Array {
  if (blocks && ready) {
    return blocks;
  }
  const { image, slice, tile, outer, intensity } = task;
  if (pieces) {
    return assembled(outer!, pieces);
  }
  const around = outer ?? tile;
  const request: ITileRequest = {
    image,
    slice,
    tile: around,
    part,
    spec,
    ...(maps && { maps }),
    ...(intensity && { intensity })
  };
  const made = quantised(request, compute(request).data, cuts);
  if (blocks) {
    copyBlocks({ tile: around, blocks: made }, { tile, blocks });
  }
  return made;
}

/** Assemble the bins of a rectangle from tiles that cover it. */
function assembled(region: Rect, pieces: readonly IPiece[]): Uint8Array {
  const { blocks, tile } = pieces[0]!;
  const block = blocks.length / blocksOf(tile).count;
  const out = { tile: region, blocks: new Uint8Array(blocksOf(region).count * block) };
  pieces.forEach(piece => copyBlocks(piece, out));
  return out.blocks;
}

/** Copy the blocks that two rectangles share. Both start at multiples of 4 and end at one or at the image's edge. */
function copyBlocks(from: IPiece, to: IPiece): void {
  const [theirs, own] = [blocksOf(from.tile), blocksOf(to.tile)];
  const size = from.blocks.length / theirs.count;
  const row0 = Math.max(from.tile.row0, to.tile.row0);
  const row1 = Math.min(from.tile.row1, to.tile.row1);
  const column0 = Math.max(from.tile.column0, to.tile.column0);
  const length = Math.ceil((Math.min(from.tile.column1, to.tile.column1) - column0) / 4) * size;
  for (let row = row0; row < row1; row += 4) {
    const at = ((row - from.tile.row0) / 4) * theirs.columns + (column0 - from.tile.column0) / 4;
    const into = ((row - to.tile.row0) / 4) * own.columns + (column0 - to.tile.column0) / 4;
    to.blocks.set(from.blocks.subarray(at * size, at * size + length), into * size);
  }
}

function segmented(task: ISegmentTask, wanted: { [name in keyof ISegmentedTile]: boolean }): ISegmentedTile {
  const bins = task.parts.map(part => binsOf(task, part));
  if (applier?.job !== task.job) {
    const engine = applier && applier.engine.bytes <= APPLIER_BYTES ? applier.engine : new Engine(compiled);
    const bottom = engine === applier?.engine ? applier.bottom : engine.mark;
    engine.release(bottom);
    applier = { job: task.job, engine, bottom, value: new ForestApplier(engine, task.forest) };
  }
  const { image, slice, tile, outer, radius, intensity } = task;
  if (!outer) {
    return applier.value.apply(tile, bins, wanted);
  }
  const { probabilities } = applier.value.apply(outer, bins, { probabilities: true });
  const { data, stride, plane } = compute({ image, slice, tile: outer, spec: GUIDE_SPEC, intensity: intensity! });
  const guide = { data: data.subarray(GUIDE_CHANNEL * plane, (GUIDE_CHANNEL + 1) * plane), stride };
  const { classes } = task.forest;
  return refineTile(applier.engine, outer, tile, probabilities!, classes, guide, radius, wanted);
}

function segment(task: ISegmentTask): void {
  const { out, slice, tile } = task;
  const { prediction, probabilities, uncertainty } = segmented(task, {
    prediction: out.prediction !== undefined,
    probabilities: out.probabilities !== undefined,
    uncertainty: out.uncertainty !== undefined
  });
  if (prediction) {
    const ids = prediction.map(index => task.ids[index]!);
    writeRect(out.prediction!, { slice, ...tile }, ids);
  }
  if (probabilities) {
    writeRect(out.probabilities!, { slice, ...tile }, probabilities);
  }
  if (uncertainty) {
    writeRect(out.uncertainty!, { slice, ...tile }, uncertainty);
  }
}
