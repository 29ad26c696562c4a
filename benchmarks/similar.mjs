/**
 * Objects like an example against the truth's objects, which are connected parts of a class of 30 pixels and more. Examples are random objects that SAM
 * draws with an overlap (IoU) of 0.7 from the pixel deepest inside, as a user accepts them. `overview`: in one look at the image; `slice`: in windows as
 * large as the example asks for, as `lab.suggest_similar` has it by default. `everything`: all objects in view, as Shift+E proposes them.
 *
 * A proposal is right if it overlaps an object by more than a half, or three quarters; recall is over all objects of the class but the example, and over
 * those of a sixth to six times its area. Objects a click: those that were found right by the one click on the example.
 */
import { readFileSync } from 'node:fs';
import { mean } from './processes.mjs';
import { depths, loadDecoder, partsOf, randoms, shuffle } from './suggestions.mjs';
import { Work } from './work.mjs';

/** Images of each kind, and the class whose parts are objects. */
const KINDS = {
  particles: { images: ['particles_0', 'particles_1'], id: 2, everything: true },
  'large precipitates': { images: ['superalloy_1', 'superalloy_2'], id: 3 },
  'small precipitates': { images: ['superalloy_1', 'superalloy_2'], id: 2 }
};
/** Examples of an image in one look, and those of them that are searched for in windows too, which takes longer. */
const EXAMPLES = 6;
const IN_WINDOWS = 2;
const SMALLEST = 30;
const GOOD = 0.7;
const OVERLAPS = [0.5, 0.75];
/** The widget's limits for suggestions of which SAM is not sure. */
const SCORE_MIN = 0.8;
const STABILITY_MIN = 0.8;

export async function similar(bench) {
  const sam = await loadDecoder(bench.folder);
  for (const [kind, { images, id, everything }] of Object.entries(KINDS)) {
    const rows = {};
    for (const name of bench.quick ? images.slice(0, 1) : images) {
      const image = await open(bench, sam, name, id);
      for (const [n, example] of (await chosen(sam, image, bench.quick ? 1 : EXAMPLES)).entries()) {
        const overview = await search(sam, image, example, windowsOf(sam, image, image.seen));
        (rows.overview ??= []).push(overview);
        const windows = windowsOf(sam, image, sam.code.inImage(example.logits, image.seen, sam.manifest));
        if (windows.side === null) {
          (rows.slice ??= []).push(overview);
        } else if (n < IN_WINDOWS) {
          (rows.slice ??= []).push(await search(sam, image, example, windows));
        }
      }
      if (everything) {
        (rows.everything ??= []).push(await inView(sam, image));
      }
    }
    for (const [where, of] of Object.entries(rows)) {
      for (const key of Object.keys(of[0])) {
        const values = of.map(row => row[key]).filter(value => !Number.isNaN(value));
        const unit = key === 'seconds' ? 's' : key === 'decodes' ? key : key === 'objects a click' ? 'objects' : 'part';
        bench.report('similar', `${kind}, ${where}: ${key}`, mean(values), null, unit);
      }
    }
  }
}

async function open(bench, sam, name, id) {
  const work = await new Work(bench, name).load();
  const [, rows, columns] = work.shape;
  const size = { rows, columns };
  const seen = { row0: 0, row1: rows, column0: 0, column1: columns };
  const parts = partsOf(work.truth, size, value => value === id);
  const of = new Int32Array(rows * columns);
  parts.forEach((part, i) => part.forEach(pixel => (of[pixel] = i + 1)));
  const pixels = readFileSync(work.file('image.raw'));
  const embeddings = new Map();
  const embed = async window => {
    const key = JSON.stringify(window);
    if (!embeddings.has(key)) {
      embeddings.set(key, await sam.embed(pixels, size, window, true));
    }
    return embeddings.get(key);
  };
  const greys = (window, { rows, columns }) =>
    sam.code.sampleGreys({ rows, columns }, sam.manifest, rect => cut(pixels, size, rect, window));
  return { name, size, seen, parts, of, embed, greys };
}

/** The pixels of a rectangle of a window. */
function cut(pixels, { columns }, { row0, row1, column0, column1 }, window) {
  const out = [];
  for (let row = row0; row < row1; row++) {
    const from = (row + window.row0) * columns + window.column0;
    out.push(...pixels.subarray(from + column0, from + column1));
  }
  return out;
}

/** Random objects that SAM draws well. */
async function chosen(sam, { name, size, seen, parts, embed }, most) {
  const order = [...parts.keys()].filter(i => parts[i].length >= SMALLEST);
  shuffle(order, randoms(name));
  const out = [];
  for (const i of order) {
    const truth = new Uint8Array(size.rows * size.columns);
    parts[i].forEach(pixel => (truth[pixel] = 1));
    const deep = depths(truth, size);
    const pixel = parts[i].reduce((a, b) => (deep[b] > deep[a] ? b : a));
    const point = { row: Math.floor(pixel / size.columns), column: pixel % size.columns, label: 1 };
    const { lowRes } = await sam.decode(await embed(seen), size, { points: [point] });
    const overlaps = lowRes.map(logits => {
      const mask = sam.mask(logits, size);
      const both = parts[i].reduce((sum, each) => sum + mask[each], 0);
      return both / (mask.reduce((sum, inside) => sum + inside, 0) + parts[i].length - both);
    });
    const best = Math.max(...overlaps);
    if (best >= GOOD && out.push({ index: i, point, logits: lowRes[overlaps.indexOf(best)] }) === most) {
      break;
    }
  }
  return out;
}

const windowsOf = (sam, { seen }, extent) => new sam.code.SimilarWindows(seen, extent);

async function search(sam, image, example, windows) {
  const { size, seen, embed, greys } = image;
  const { code, manifest } = sam;
  const begin = performance.now();
  let decodes = 0;
  const sizeOf = ({ row0, row1, column0, column1 }) => ({ rows: row1 - row0, columns: column1 - column0 });
  const dataOf = prepared => prepared.tensors[manifest.decoder.inputs.embedding].data;
  const own = windows.example;
  const at = { ...example.point, row: example.point.row - own.row0, column: example.point.column - own.column0 };
  const prepared = await embed(own);
  const candidates = await sam.decode(prepared, sizeOf(own), { points: [at] });
  const lowRes =
    windows.side === null ? example.logits : code.sameObject(example.logits, seen, candidates, own, manifest);
  const found = [];
  const covered = new Uint8Array(size.rows * size.columns);
  const add = (logits, window) => {
    const mask = code.maskIn(logits, window, seen, manifest);
    const area = mask.reduce((sum, inside) => sum + inside, 0);
    if (mask.reduce((sum, inside, i) => sum + (inside & covered[i]), 0) > 0.3 * area) {
      return false;
    }
    mask.forEach((inside, i) => (covered[i] |= inside));
    return found.push(mask) > 0;
  };
  if (lowRes) {
    const like = code.likenessOf(dataOf(prepared), sizeOf(own), lowRes, manifest, greys(own, sizeOf(own)));
    add(lowRes, own);
    const known = [];
    for (const window of windows.all) {
      const inside = await embed(window);
      const core = windows.core(window);
      const decode = prompts => (decodes++, sam.decode(inside, sizeOf(window), prompts));
      const options = {
        manifest,
        embedding: dataOf(inside),
        size: sizeOf(window),
        like,
        greys: greys(window, sizeOf(window)),
        isPart: windows.side !== null,
        known: [...known],
        where: {
          row0: core.row0 - window.row0,
          row1: core.row1 - window.row0,
          column0: core.column0 - window.column0,
          column1: core.column1 - window.column0
        },
        taken: windows.side === null ? [lowRes] : [],
        decode
      };
      for await (const each of code.similarObjects(options)) {
        const belongs = windows.belongs(code.inImage(each.lowRes, window, manifest), window);
        if (belongs && add(each.lowRes, window)) {
          known.push(each.similarity);
        }
      }
    }
  }
  const seconds = (performance.now() - begin) / 1000;
  return { ...judged(image, found.slice(1), example.index), decodes, seconds };
}

/** All objects in view, by the widget's own search, on the whole image. */
async function inView(sam, image) {
  const { size, seen, embed } = image;
  const { code, manifest } = sam;
  const begin = performance.now();
  const prepared = await embed(seen);
  let decodes = 0;
  const suggest = prompts => (decodes++, sam.decode(prepared, size, prompts));
  const proposed = new code.SimilarObjects({ image: size });
  const isGood = ({ score, stability }) => score >= SCORE_MIN && stability >= STABILITY_MIN;
  const count = await proposed.findAll({ manifest, within: seen, suggest }, 0, seen, () => false, isGood);
  if (!count) {
    throw new Error('No object was found in view: the search failed, or was asked wrongly.');
  }
  const masks = proposed.on(0).objects.map(object => object.region(seen));
  return { ...judged(image, masks, -1), decodes, seconds: (performance.now() - begin) / 1000 };
}

/** Recall and precision of masks. `example`: the object that was given, which counts as neither. */
function judged({ parts, of }, masks, example) {
  const best = masks.map(mask => {
    const counts = new Map();
    let area = 0;
    mask.forEach((inside, i) => {
      if (inside) {
        area++;
        counts.set(of[i] - 1, (counts.get(of[i] - 1) ?? 0) + 1);
      }
    });
    counts.delete(-1);
    const overlaps = [...counts].map(([index, both]) => ({ index, iou: both / (area + parts[index].length - both) }));
    return overlaps.reduce((a, b) => (b.iou > a.iou ? b : a), { index: -1, iou: 0 });
  });
  const all = [...parts.keys()].filter(i => i !== example && parts[i].length >= SMALLEST);
  const own = parts[example]?.length;
  const like = all.filter(i => !own || (parts[i].length >= own / 6 && parts[i].length <= own * 6));
  const out = {};
  for (const least of OVERLAPS) {
    const right = best.filter(({ index, iou }) => iou > least && index !== example);
    const found = new Set(right.map(({ index }) => index));
    const part = list => list.filter(i => found.has(i)).length / list.length;
    out[`precision at ${least}`] = right.length / masks.length;
    out[`recall at ${least}`] = part(all);
    out[`recall at ${least}, of the example's size`] = part(like);
    if (least === OVERLAPS[0]) {
      out['objects a click'] = found.size;
    }
  }
  return out;
}
