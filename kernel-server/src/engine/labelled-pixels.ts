/** Draws the labelled pixels to train on, evenly from the classes. The same labels always give the same pixels. */
import { BridgeError } from '../../../src/shared/errors';
import { ArrayDescriptor, LabelClass } from '../../../src/shared/protocol';
import { OptionalRegion, wholeRegion } from '../../../src/shared/region';
import { TileFile } from '../arrays/tile-file';
import { breathe } from '../base/files';
import { StrokeFinder } from './stroke-finder';

/** Bytes of labels per read. */
const READ_BYTES = 1 << 20;
/** Up to this number, labelled pixels are remembered while they are counted; if there are more, the labels are read twice. */
const NOTED_MAX = 1 << 20;

/** Labelled pixels, in the order of the arrays, one element per pixel. */
export interface ILabelledPixels {
  /** Counted over all arrays: the second array's first slice follows the first array's last. */
  slice: Uint32Array;
  row: Uint32Array;
  column: Uint32Array;
  /** Index into the classes. */
  classOf: Uint8Array;
  /** Number of each pixel's stroke; absent unless requested. */
  stroke?: Uint32Array;
}

/**
 * @param maxSamples the largest number of pixels to draw; null: all
 * @param expect called with the number of pixels before they are drawn; may throw to refuse them
 * @param strokes whether to find the stroke of each pixel
 * @param within the region of each array that pixels are drawn from; null: all of it
 * @throws BridgeError `not-ready` if fewer than two classes are labelled, `invalid` for labels of an unknown class.
 */
export async function drawLabels(
  labels: readonly ArrayDescriptor[],
  classes: readonly LabelClass[],
  maxSamples: number | null,
  signal: AbortSignal,
  expect: (total: number) => void = () => undefined,
  strokes = false,
  within: readonly OptionalRegion[] = []
): Promise<ILabelledPixels> {
  const files: TileFile[] = [];
  try {
    for (const array of labels) {
      files.push(new TileFile(array, 'r'));
    }
    const indexOf = new Int16Array(256).fill(-1);
    classes.forEach(({ id }, index) => (indexOf[id] = index));
    const visit = async (each: (id: number, slice: number, row: number, column: number) => void) => {
      let before = 0;
      for (const [i, file] of files.entries()) {
        await visitFile(file, within[i] ?? null, signal, (id, slice, row, column) =>
          each(id, before + slice, row, column)
        );
        before += file.slices;
      }
    };
    const counts = new Float64Array(256);
    const noted: number[] = [];
    let total = 0;
    await visit((id, slice, row, column) => {
      counts[id]!++;
      if (total++ < NOTED_MAX) {
        noted.push(id, slice, row, column);
      }
    });
    const again = async (each: Parameters<typeof visit>[0]) => {
      if (total > NOTED_MAX) {
        return visit(each);
      }
      for (let i = 0; i < noted.length; i += 4) {
        each(noted[i]!, noted[i + 1]!, noted[i + 2]!, noted[i + 3]!);
      }
    };
    const where = within.some(region => region) ? 'in the region that is worked on' : '';
    const present = [...counts.keys()].filter(id => counts[id]! > 0);
    const strange = present.find(id => indexOf[id]! < 0);
    if (strange !== undefined) {
      const ids = classes.map(({ id }) => id).join(', ');
      throw new BridgeError(
        'invalid',
        `${counts[strange]} pixels are labelled ${strange}, but the classes are ${ids}. Add the class or erase these labels.`
      );
    }
    if (present.length === 0) {
      throw new BridgeError(
        'not-ready',
        `No pixel is labelled ${where || 'yet'}. Label a few regions of at least two classes${where && ' there'}.`
      );
    }
    if (present.length === 1) {
      const { name } = classes[indexOf[present[0]!]!]!;
      throw new BridgeError(
        'not-ready',
        `Only “${name}” is labelled${where && ` ${where}`}. Label a few regions of another class as well.`
      );
    }

    const needed = evenQuotas(counts, maxSamples ?? Infinity);
    const wanted = needed.reduce((sum, n) => sum + n, 0);
    expect(wanted);
    const left = counts.slice();
    const random = mulberry(0x5a3ba1ab);
    const out: ILabelledPixels = {
      slice: new Uint32Array(wanted),
      row: new Uint32Array(wanted),
      column: new Uint32Array(wanted),
      classOf: new Uint8Array(wanted),
      ...(strokes && { stroke: new Uint32Array(wanted) })
    };
    const finder = strokes ? new StrokeFinder(Math.max(...labels.map(({ shape }) => shape[2]!))) : undefined;
    let taken = 0;
    await again((id, slice, row, column) => {
      const stroke = finder?.take(id, slice, row, column);
      // Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S), separately for each class.
      if (taken < wanted && random() * left[id]! < needed[id]!) {
        needed[id]!--;
        out.slice[taken] = slice;
        out.row[taken] = row;
        out.column[taken] = column;
        if (out.stroke) {
          out.stroke[taken] = stroke!;
        }
        out.classOf[taken++] = indexOf[id]!;
      }
      left[id]!--;
    });
    if (taken !== wanted) {
      throw new BridgeError('internal', 'The labels changed while they were read. Train once more.');
    }
    if (finder) {
      out.stroke!.forEach((stroke, i, all) => (all[i] = finder.strokeOf(stroke)));
    }
    return out;
  } finally {
    files.forEach(file => file.close());
  }
}

/** Visit every labelled pixel of an array [slices, rows, columns], or of a region of it. */
async function visitFile(
  file: TileFile,
  region: OptionalRegion,
  signal: AbortSignal,
  each: (id: number, slice: number, row: number, column: number) => void
): Promise<void> {
  const { slice0, slice1, row1: end, ...area } = region ?? wholeRegion([file.slices, file.rows, file.columns]);
  const { column0, column1 } = area;
  const columns = column1 - column0;
  const step = Math.max(1, Math.floor(READ_BYTES / columns));
  for (let slice = slice0; slice < slice1; slice++) {
    for (let { row0 } = area; row0 < end; row0 += step) {
      await breathe();
      signal.throwIfAborted();
      const row1 = Math.min(end, row0 + step);
      const ids = file.read({ slice, row0, row1, column0, column1 });
      // Most labels are 0, so skip four zeros at a time.
      const words = new Uint32Array(ids.buffer, 0, ids.length >> 2);
      for (let word = 0; word <= words.length; word++) {
        if (words[word] === 0) {
          continue;
        }
        const end = Math.min(ids.length, word * 4 + 4);
        for (let i = word * 4; i < end; i++) {
          if (ids[i] !== 0) {
            each(ids[i]!, slice, row0 + Math.floor(i / columns), column0 + (i % columns));
          }
        }
      }
    }
  }
}

/** The number of pixels to draw from each class: all of a small class, otherwise shares as equal as the counts allow. */
export function evenQuotas(counts: Float64Array, most: number): Float64Array {
  const quotas = new Float64Array(counts.length);
  const order = [...counts.keys()].filter(i => counts[i]! > 0).sort((a, b) => counts[a]! - counts[b]! || a - b);
  let room = Math.max(most, order.length);
  order.forEach((id, i) => {
    quotas[id] = Math.min(counts[id]!, Math.floor(room / (order.length - i)));
    room -= quotas[id]!;
  });
  return quotas;
}

/** Random numbers in [0, 1): mulberry32 (Tommy Ettinger, public domain). */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
