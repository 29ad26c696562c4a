/** One labeller on the page: driven with the mouse and keys, read through the handle that its element carries for scripts. */
import { deflateSync } from 'node:zlib';
import type { IJupyterLabPageFixture } from '@jupyterlab/galata';
import { expect } from '@jupyterlab/galata';
import type { Locator } from '@playwright/test';
import type { IDebugHandle } from '../src/widget/frame/debug';
import type { IStrokeTimes } from '../src/widget/state/stroke-times';

type Handled = HTMLElement & { sambalab: IDebugHandle };

/** `expect.poll` that looks again soon: Playwright's own steps grow to a second, which adds up over the waits of a test. */
function poll<T>(look: () => T | Promise<T>, timeout?: number) {
  return expect.poll(look, { intervals: [20, 50, 100, 200], ...(timeout !== undefined && { timeout }) });
}

/** The part of the handle's state that tests look at. */
interface IState {
  shape: [number, number, number, number] | null;
  connection: string;
  embedding: { state: string } | null;
  training: { state: string };
  live: { on: boolean; state: string };
  labelsVersion: number;
  learnedVersion: number;
  segmentationAhead: boolean;
  segmentationVersion: number;
  segmentationSettled: boolean;
  tilesPending: number;
  scale: number;
  error: string | null;
}

/** A pixel of the image. */
export interface IPixel {
  row: number;
  column: number;
}

/** Imports that the cells of every test use, as Python. */
const IMPORTS = `
import json, os
from pathlib import Path
import numpy as np
from PIL import Image
import sambalab as sl`;

/** What tests know about an image that they label. */
export interface ITestImage {
  /** Its name in titles of tests. */
  readonly name: string;

  /** Python for the notebook's first cell: it makes `image`, and `truth` (1 object, 2 ground) where that is known. */
  readonly setup: string;

  /** Whether {@link setup} makes `truth`. */
  readonly hasTruth: boolean;

  /** A pixel in an object that SAM finds. */
  readonly object: IPixel;

  /** Pixels in the ground: strokes from here stay in the ground. */
  readonly ground: readonly [IPixel, ...IPixel[]];

  /** A pixel in an object that no test labels. */
  readonly elsewhere: IPixel;

  /** Pixels in further objects that SAM finds. */
  readonly objects: readonly IPixel[];
}

/** The shipped micrograph. */
export const GOLD: ITestImage = {
  name: 'nanoporous gold',
  setup: `${IMPORTS}
image, _ = sl.data.nanoporous_gold()`,
  hasTruth: false,
  object: { row: 218, column: 500 },
  ground: [
    { row: 200, column: 420 },
    { row: 430, column: 200 },
    { row: 590, column: 660 },
    { row: 110, column: 240 }
  ],
  elsewhere: { row: 152, column: 470 },
  objects: [
    { row: 285, column: 515 },
    { row: 236, column: 650 },
    { row: 636, column: 803 },
    { row: 188, column: 72 }
  ]
};

/** A synthetic micrograph whose truth is exact: bright particles in a dark matrix. */
export const PARTICLES: ITestImage = {
  name: 'synthetic particles',
  setup: `${IMPORTS}
image, truth = sl.data.micrograph("particles", (512, 512), seed=1)
truth = 3 - truth  # 1 particles, 2 matrix`,
  hasTruth: true,
  object: { row: 160, column: 296 },
  ground: [
    { row: 20, column: 150 },
    { row: 230, column: 300 },
    { row: 300, column: 240 },
    { row: 480, column: 250 }
  ],
  elsewhere: { row: 77, column: 247 },
  objects: [
    { row: 110, column: 327 },
    { row: 405, column: 388 },
    { row: 195, column: 371 },
    { row: 444, column: 323 }
  ]
};

/** A micrograph of the folder `../shared/data`, with its truth; for the suite `data` only. */
export const SUPERALLOY: ITestImage = {
  name: 'a superalloy',
  setup: `${IMPORTS}
folder = Path(os.environ["SAMBALAB_TEST_DATA"])
image = np.asarray(Image.open(folder / "superalloy_0.png").convert("L"))
truth = 2 - (np.asarray(Image.open(folder / "superalloy_0_truth.png")) == 3)  # 1 large precipitates, 2 the rest`,
  hasTruth: true,
  object: { row: 265, column: 150 },
  ground: [
    { row: 120, column: 20 },
    { row: 40, column: 150 },
    { row: 240, column: 380 },
    { row: 300, column: 440 }
  ],
  elsewhere: { row: 225, column: 60 },
  objects: [
    { row: 85, column: 160 },
    { row: 390, column: 205 },
    { row: 60, column: 105 },
    { row: 130, column: 110 }
  ]
};

/** A suggestion as the page shows it. */
export interface IShownSuggestion {
  scale: number;
  pixels: Uint8Array;
  count: number;
  covers(row: number, column: number): boolean;
}

/** The labeller that was displayed last. */
export class LabellerPage {
  private constructor(
    private readonly page: IJupyterLabPageFixture,
    readonly root: Locator
  ) {}

  /** Wait until the last labeller of the notebook shows its image. */
  static async in(page: IJupyterLabPageFixture): Promise<LabellerPage> {
    const root = page.getByTestId('sambalab').last();
    await root.waitFor({ timeout: 60_000 });
    const lab = new LabellerPage(page, root);
    await poll(() => root.evaluate(node => 'sambalab' in node)).toBe(true);
    await poll(async () => (await lab._state()).shape !== null && (await lab._state()).tilesPending === 0, 60_000).toBe(
      true
    );
    await lab.root.locator('canvas').first().scrollIntoViewIfNeeded();
    return lab;
  }

  /** Wait for the embedding and the decoder. */
  async samReady(): Promise<void> {
    await poll(async () => (await this._state()).embedding?.state, 120_000).toBe('ready');
  }

  async size(): Promise<{ rows: number; columns: number }> {
    const [, rows, columns] = (await this._state()).shape!;
    return { rows, columns };
  }

  /** Screen pixels for each pixel of the image. */
  async scale(): Promise<number> {
    return (await this._state()).scale;
  }

  /** Where a pixel is on the page. */
  async at({ row, column }: IPixel): Promise<{ x: number; y: number }> {
    return this.root.evaluate((root, [r, c]) => (root as Handled).sambalab.imageToClient(r!, c!), [row, column]);
  }

  /** The column of the image at a place of the page. */
  async columnAt(x: number, y: number): Promise<number> {
    return this.root.evaluate((root, at) => (root as Handled).sambalab.clientToImage(at[0]!, at[1]!).column, [x, y]);
  }

  async moveTo(row: number, column: number): Promise<void> {
    const { x, y } = await this.at({ row, column });
    await this.page.mouse.move(x, y);
  }

  async click(): Promise<void> {
    await this.page.mouse.down();
    await this.page.mouse.up();
  }

  async rightClick(): Promise<void> {
    await this.page.mouse.down({ button: 'right' });
    await this.page.mouse.up({ button: 'right' });
  }

  /** Press a key while the pointer is over the image. */
  async press(key: string): Promise<void> {
    await this.root.focus();
    await this.page.keyboard.press(key);
  }

  /** Drag with the brush along a path. */
  async stroke(path: readonly IPixel[]): Promise<void> {
    await this._still();
    const points = await Promise.all(path.map(pixel => this.at(pixel)));
    await this.page.mouse.move(points[0]!.x, points[0]!.y);
    await this.page.mouse.down();
    for (const { x, y } of points.slice(1)) {
      await this.page.mouse.move(x, y, { steps: 5 });
    }
    await this.page.mouse.up();
  }

  /** Label both classes as a user does: accept the suggestion on the object, paint the ground. */
  async label({ object, ground }: { object: IPixel; ground: readonly IPixel[] }): Promise<void> {
    await this.samReady();
    await this.moveTo(object.row, object.column);
    await this.suggestionAt(object.row, object.column);
    await this.click();
    await this.press('2');
    await this.press('b');
    for (const { row, column } of ground) {
      await this.stroke([
        { row, column },
        { row: row + 8, column: column + 14 }
      ]);
    }
    await this.saved();
  }

  /** Wait until every stroke is acknowledged. */
  async saved(timeout = 20_000): Promise<void> {
    await poll(() => this._get(handle => handle.pendingPatches), timeout).toBe(0);
  }

  /** Wait for a suggestion whose scale is not `not`, and return it. */
  async suggestion(not?: number): Promise<IShownSuggestion> {
    await poll(() => this._get(handle => (handle.suggestion ? handle.suggestion.scale : -1)), 20_000).not.toBe(
      not ?? -1
    );
    const shown = await this.root.evaluate(root => {
      const { suggestion } = (root as Handled).sambalab;
      return suggestion && { scale: suggestion.scale, pixels: Array.from(suggestion.mask) };
    });
    const { columns } = await this.size();
    const pixels = Uint8Array.from(shown!.pixels);
    return {
      scale: shown!.scale,
      pixels,
      count: pixels.reduce((sum, pixel) => sum + pixel, 0),
      covers: (row, column) => pixels[row * columns + column] === 1
    };
  }

  /** Wait for the suggestion at this pixel, not at one where the mouse was before, and return it. */
  async suggestionAt(row: number, column: number): Promise<IShownSuggestion> {
    await poll(
      () =>
        this.root.evaluate(
          (root, [r, c]) => {
            const at = (root as Handled).sambalab.suggestion?.at;
            return at !== undefined && Math.abs(at.row - r!) < 1 && Math.abs(at.column - c!) < 1;
          },
          [row, column]
        ),
      20_000
    ).toBe(true);
    return this.suggestion();
  }

  /** A mask as base64 of its bits, compressed by zlib. */
  packed(pixels: Uint8Array): string {
    const bits = Buffer.alloc(Math.ceil(pixels.length / 8));
    pixels.forEach((pixel, i) => (bits[i >> 3]! |= pixel << (7 - (i & 7))));
    return deflateSync(bits).toString('base64');
  }

  /** The value that an overlay shows at a pixel. */
  async read(overlay: 'labels' | 'segmentation', row: number, column: number): Promise<number> {
    return this.root.evaluate(
      (root, [name, r, c]) => {
        const handle = (root as Handled).sambalab;
        return name === 'labels'
          ? handle.labelAt(r as number, c as number)
          : handle.segmentationAt(r as number, c as number);
      },
      [overlay, row, column]
    );
  }

  /** The grey level of a pixel in the feature that is shown. */
  async feature(row: number, column: number): Promise<number> {
    return this.root.evaluate((root, [r, c]) => (root as Handled).sambalab.featureAt(r!, c!), [row, column]);
  }

  /** Open a section of the panel. */
  async open(section: string): Promise<void> {
    const details = this.root.getByTestId(`sambalab-${section}`);
    if ((await details.getAttribute('open')) === null) {
      await details.locator('> summary').click();
    }
  }

  /** The version of the segmentation that is shown. */
  async version(): Promise<number> {
    return (await this._state()).segmentationVersion;
  }

  /** How many pixels the widget shows as labelled. */
  async countLabelled(): Promise<number> {
    const { rows, columns } = await this.size();
    return this.root.evaluate(
      (root, [r, c]) => {
        const handle = (root as Handled).sambalab;
        let count = 0;
        for (let row = 0; row < r!; row++) {
          for (let column = 0; column < c!; column++) {
            count += handle.labelAt(row, column) > 0 ? 1 : 0;
          }
        }
        return count;
      },
      [rows, columns]
    );
  }

  /**
   * The SHA-256 of the labels of the slice that the page shows, or of its segmentation under labels and correction, row by row, as hexadecimal
   * digits.
   */
  async hash(overlay: 'labels' | 'segmentation'): Promise<string> {
    const { rows, columns } = await this.size();
    return this.root.evaluate(
      async (root, [name, r, c]) => {
        const handle = (root as Handled).sambalab;
        const at = name === 'labels' ? handle.labelAt : handle.segmentationAt;
        const ids = Uint8Array.from({ length: r * c }, (_, i) => at(Math.floor(i / c), i % c));
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', ids));
        return Array.from(digest, byte => byte.toString(16).padStart(2, '0')).join('');
      },
      [overlay, rows, columns] as const
    );
  }

  /** The colour on the screen of a pixel of the image. */
  async pixel(row: number, column: number): Promise<number[]> {
    const { x, y } = await this.at({ row, column });
    const shot = await this.page.screenshot({ clip: { x: Math.floor(x), y: Math.floor(y), width: 1, height: 1 } });
    return this.page.evaluate(async base64 => {
      const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
      const context = new OffscreenCanvas(1, 1).getContext('2d')!;
      context.drawImage(bitmap, 0, 0);
      return [...context.getImageData(0, 0, 1, 1).data];
    }, shot.toString('base64'));
  }

  /** Press Train and wait for the new segmentation. */
  async train(): Promise<void> {
    const before = (await this._state()).segmentationVersion;
    await this.root.getByTestId('sambalab-train').click();
    await poll(async () => (await this._state()).segmentationVersion, 60_000).toBeGreaterThan(before);
    await poll(async () => (await this._state()).segmentationSettled).toBe(true);
  }

  /** Switch live segmentation by its button. */
  async live(on: boolean): Promise<void> {
    const button = this.root.getByTestId('sambalab-live');
    if ((await button.getAttribute('aria-pressed')) !== String(on)) {
      await button.click();
    }
    await poll(async () => (await this._state()).live.state !== 'off').toBe(on);
  }

  /** Whether live segmentation is on in the page. */
  async isLive(): Promise<boolean> {
    return (await this._state()).live.on;
  }

  /** Wait until live segmentation is done: the page shows the session's segmentation, learned from the last labels. */
  async liveSettled(timeout = 60_000): Promise<void> {
    await this.saved(timeout);
    await poll(async () => (await this._state()).learnedVersion === (await this._state()).labelsVersion, timeout).toBe(
      true
    );
    await this.shownIsKept(timeout);
  }

  /** Wait until the page shows the session's segmentation. */
  async shownIsKept(timeout = 60_000): Promise<void> {
    await poll(async () => {
      const { segmentationAhead, segmentationSettled, segmentationVersion, live } = await this._state();
      return segmentationVersion > 0 && !segmentationAhead && segmentationSettled && live.state === 'ready';
    }, timeout).toBe(true);
  }

  /** The times of the last strokes. */
  async times(): Promise<IStrokeTimes[]> {
    return this._get(handle => handle.times.map(one => ({ ...one })));
  }

  /** Tiles and bytes of the segmentation that the page holds, and the longest time of drawing. */
  async load(): Promise<IDebugHandle['load']> {
    return this._get(handle => handle.load);
  }

  /** Draw strokes with the brush, as fast as the browser takes them. */
  async strokes(paths: readonly (readonly IPixel[])[]): Promise<void> {
    await this._still();
    const all = await this.root.evaluate(
      (root, list) =>
        list.map(path => path.map(({ row, column }) => (root as Handled).sambalab.imageToClient(row, column))),
      paths.map(path => [...path])
    );
    for (const path of all) {
      await this.page.mouse.move(path[0]!.x, path[0]!.y);
      await this.page.mouse.down();
      for (const { x, y } of path.slice(1)) {
        await this.page.mouse.move(x, y, { steps: 2 });
      }
      await this.page.mouse.up();
    }
  }

  async startFresh(): Promise<void> {
    await this.root.getByTestId('sambalab-fresh').click();
    await this.root.getByTestId('sambalab-fresh-confirm').click();
  }

  /** Milliseconds from a stroke to its acknowledgement, over the strokes so far. */
  async roundTrip(): Promise<{ count: number; median: number; p95: number }> {
    return this._get(handle => handle.roundTrip);
  }

  /** The error that the widget shows. */
  async error(): Promise<string | null> {
    return (await this._state()).error;
  }

  /** Wait until the notebook has stopped scrolling. */
  private async _still(): Promise<void> {
    let last = await this.at({ row: 0, column: 0 });
    await expect
      .poll(
        async () => {
          const before = last;
          last = await this.at({ row: 0, column: 0 });
          return last.x === before.x && last.y === before.y;
        },
        { intervals: [100] }
      )
      .toBe(true);
  }

  private async _state(): Promise<IState> {
    return this.root.evaluate(root => (root as Handled).sambalab.state as never);
  }

  private async _get<T>(pick: (handle: IDebugHandle) => T): Promise<T> {
    return this.root.evaluate(
      (root, source) => new Function('handle', `return (${source})(handle)`)((root as Handled).sambalab) as never,
      pick.toString()
    );
  }
}
