/**
 * What is on the canvas after any changes is what a new view would draw of the sidecar's labels and segmentation.
 * @jest-environment jsdom
 */
import '../../__tests__/page';
import { Widget } from '@lumino/widgets';
import { LABEL_TILE, Replaces } from '../../../shared';
import { tilesIn } from '../../base/geometry';
import { Settings } from '../../base/settings';
import { MaskBuilder } from '../../labels/raster';
import { Stroke } from '../../labels/stroke';
import { id } from '../../state/__tests__/fake-sidecar';
import { StackSidecar } from '../../state/__tests__/stack-sidecar';
import { LabellerState } from '../../state/labeller-state';
import { CanvasView } from '../canvas';
import { Painter } from '../painter';
import { fakePage } from './fake-page';
import { pixelCanvases, pixelsOf } from './pixel-canvas';

const page = fakePage();
pixelCanvases();
// Small, so that the whole image is reduced and few pixels are compared.
Object.defineProperty(HTMLElement.prototype, 'clientWidth', { get: () => 150, configurable: true });

const SIZE = { rows: 300, columns: 500 };
/** More than are kept when all may differ from the sidecar's. */
const SLICES = 7;
const BLANK = new Uint8Array(LABEL_TILE ** 2);
const STEPS = 60;

jest.setTimeout(60_000);

/** Whole numbers from 0 below a bound, the same ones for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A mask of a rectangle. */
function rectangle(x: number, y: number, width: number, height: number) {
  const mask = new MaskBuilder(SIZE);
  for (let row = y; row < Math.min(SIZE.rows, y + height); row++) {
    mask.addRun(row, x, Math.min(SIZE.columns, x + width));
  }
  return mask.tiles();
}

let closing: (() => void)[] = [];
afterEach(() => {
  closing.forEach(close => close());
  closing = [];
});

/** A stack with a segmentation, on a screen of this many device pixels a CSS pixel. */
async function show({ random = randomOf(0), slices = SLICES, ratio = 1 } = {}) {
  Object.assign(window, { devicePixelRatio: ratio });
  const sidecar = new StackSidecar(SIZE, slices, random);
  const settings = new Settings();
  const state = new LabellerState({
    session: id,
    settings,
    connect: () => Promise.resolve(sidecar),
    createDecoder: () => Promise.reject(new Error('not needed'))
  });
  await state.open();
  const canvas = new CanvasView({ state, hasFocus: () => true });
  closing = [() => canvas.dispose(), () => state.dispose()];
  Widget.attach(canvas, document.body);
  const base = canvas.node.querySelector('canvas')!;
  const { labels, segmentation } = state.parts!;
  /** What was done. */
  const log: string[] = [];
  const fail = (what: string) => {
    throw new Error(`Slice ${state.slice}, ${settings.values.shown}: ${what}, after ${log.slice(-30).join(', ')}.`);
  };
  /** Draw frames and wait for the sidecar until nothing changes any more. */
  const settle = async () => {
    for (let quiet = 0; quiet < 2;) {
      await new Promise(resolve => setTimeout(resolve, 1));
      quiet = page.frame() || sidecar.pending > 0 || labels.queue.waiting.length > 0 ? 0 : quiet + 1;
    }
  };
  /** Compare the canvas with what a new painter draws. */
  const compare = () => {
    const fresh = document.createElement('canvas');
    [fresh.width, fresh.height] = [base.width, base.height];
    const painter = new Painter(state, canvas.view);
    while (!painter.base(fresh.getContext('2d')!, ratio, { area: null, hideOverlays: false })) {
      // some pictures were left for the next frame
    }
    const [is, wanted] = [pixelsOf(base), pixelsOf(fresh)];
    const others = [...is.keys()].filter(at => is[at] !== wanted[at]);
    if (others.length > 0) {
      const [row, column] = [Math.floor(others[0]! / base.width), others[0]! % base.width];
      const { x, y } = canvas.view.toImage({ x: column, y: row });
      fail(`${others.length} pixels differ, from the image's pixel (${Math.floor(y)}, ${Math.floor(x)}) on`);
    }
  };
  /** Compare what the browser has in view with what the sidecar has. */
  const agree = () => {
    const { slice } = state;
    const same = (wanted: Uint8Array, found: Uint8Array) => Buffer.compare(wanted, found) === 0;
    for (const { row, column } of tilesIn(canvas.view.visible(), LABEL_TILE)) {
      const drawn = labels.slice(slice).tile(row, column) ?? BLANK;
      if (!same(sidecar.drawn[slice]!.tile(row, column) ?? BLANK, drawn)) {
        fail(`the labels of tile (${row}, ${column}) differ`);
      }
      const shown = settings.values.shown === 'labels' ? undefined : segmentation.classes(slice, { row, column });
      if (shown && !same(sidecar.composed(slice, row, column), shown)) {
        fail(`the segmentation of tile (${row}, ${column}) differs`);
      }
    }
  };
  sidecar.train();
  await settle();
  return { sidecar, settings, state, canvas, labels, log, settle, compare, agree };
}

type Shown = Awaited<ReturnType<typeof show>>;

/** Draw a stroke of random lines, with frames between some of them. */
function stroke({ labels, state }: Shown, random: (below: number) => number, end = (one: Stroke) => one.end()): void {
  const pick = <T>(...of: T[]) => of[random(of.length)]!;
  const classId = pick(0, 0, 1, 2);
  const replaces = classId === 0 ? pick<Replaces>('all', [1]) : pick<Replaces>([0], 'all', [0, 2]);
  const one = labels.stroke(state.slice, classId, replaces);
  let from = { x: random(SIZE.columns), y: random(SIZE.rows) };
  for (let i = random(4); i >= 0; i--) {
    const to = { x: from.x + random(200) - 100, y: from.y + random(200) - 100 };
    one.line(from, to, 1 + random(30));
    from = to;
    if (random(2) === 0) {
      page.frame();
    }
  }
  end(one);
}

/** Pass all other slices. */
function passOthers({ state }: Shown): void {
  const { slices } = state.parts!;
  for (let i = 1; i < slices; i++) {
    state.setSlice((state.slice + 1) % slices);
    page.frame();
  }
}

/** What may happen, by name. */
function happenings(shown: Shown, random: (below: number) => number): Record<string, () => void> {
  const { sidecar, settings, state, canvas, labels } = shown;
  const { slices } = state.parts!;
  const pick = <T>(...of: T[]) => of[random(of.length)]!;
  const rect = () => rectangle(random(SIZE.columns), random(SIZE.rows), 150, 100);
  const point = () => ({ x: random(100), y: random(100) });
  const draws = () => stroke(shown, random);
  const isRefused = () => {
    sidecar.refuse.push({ code: 'invalid', message: 'no' });
    draws();
  };
  const patch = () => sidecar.draw(random(slices), pick(0, 0, 1, 2), pick<Replaces>('all', [0], [0, 1]), rect());
  return {
    stroke: draws,
    'another stroke': draws,
    'quick strokes': () => [1, 2, 3, 4].forEach(draws),
    'dropped stroke': () => stroke(shown, random, one => one.drop()),
    'refused stroke': isRefused,
    'refused stroke, then elsewhere': () => {
      isRefused();
      passOthers(shown);
    },
    undo: () => labels.move('undo'),
    redo: () => labels.move('redo'),
    'patch of Python': patch,
    'labels of Python': () =>
      sidecar.replaceAll((tiles, slice) => {
        if (slice % 2 === 0) {
          rect().forEach(mask => tiles.apply(mask, 1 + random(2), 'all'));
        }
      }),
    'missed patch, and connected again': () => {
      sidecar.silent = true;
      patch();
      sidecar.silent = false;
      labels.attached(sidecar.version);
      state.parts!.reattached(sidecar.version);
    },
    training: () => sidecar.train(),
    slice: () => state.setSlice(random(slices)),
    'next slice': () => state.setSlice((state.slice + 1) % slices),
    'other slices': () => passOthers(shown),
    zoom: () => canvas.navigation.zoom(pick(0.3, 0.7, 1.5, 4)),
    all: () => canvas.navigation.showAll(),
    pan: () => canvas.navigation.pan(point(), point()),
    overlays: () => settings.set({ shown: pick('both', 'labels', 'segmentation') }),
    outlines: () =>
      settings.set({ labelOutline: pick(false, false, true), segmentationOutline: pick(false, false, true) })
  };
}

describe('The canvas', () => {
  it.each([
    { seed: 1, slices: SLICES, ratio: 1 },
    { seed: 2, slices: 1, ratio: 1.25 }
  ])('shows what a new view would draw, after any changes (seed $seed, slices $slices)', async options => {
    const random = randomOf(options.seed);
    const shown = await show({ ...options, random });
    const { state, settings, log, settle, compare, agree } = shown;
    const all = happenings(shown, random);
    const rest = async () => {
      await settle();
      log.push('rest');
      agree();
      compare();
    };
    for (let i = 0; i < STEPS; i++) {
      const name = Object.keys(all)[random(Object.keys(all).length)]!;
      log.push(name);
      all[name]!();
      const next = random(6);
      if (next === 0 && settings.values.shown === 'labels') {
        while (page.frame()) {
          // until all is drawn
        }
        compare(); // the segmentation may still come
      } else if (next === 1) {
        await new Promise(resolve => setTimeout(resolve, random(3)));
        log.push('pause');
      } else if (next === 2) {
        await rest();
      }
    }
    for (let slice = 0; slice < options.slices; slice++) {
      state.setSlice(slice);
      await rest();
    }
  });

  it('shows no label of a refused stroke on a slice that was forgotten meanwhile', async () => {
    const shown = await show();
    const { sidecar, labels, state, settle, compare, agree } = shown;
    sidecar.refuse.push({ code: 'invalid', message: 'no' });
    labels.commit({ slice: 0, classId: 1, replaces: [0], tiles: rectangle(20, 20, 60, 60) });
    page.frame();
    passOthers(shown);
    await settle();
    state.setSlice(0);
    await settle();
    agree();
    compare();
  });
});
