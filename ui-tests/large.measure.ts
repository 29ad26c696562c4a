/**
 * Measures large images in the real page, opened by their path: from the cell's run to the first picture, to a sharp one at 1:1, how long
 * places in view stay without sharp tiles while the image is panned, and the memory of kernel, sidecar and page. `npm run measure -- large`
 * prints the figures.
 */
import { cpus, loadavg } from 'node:os';
import { IJupyterLabPageFixture, test } from '@jupyterlab/galata';
import type { Locator } from '@playwright/test';
import type { IDebugHandle } from '../src/widget/frame/debug';
import { LabellerPage } from './labeller';
import { tellMemory } from './memory';
import { TestNotebook } from './notebook';

type Handled = HTMLElement & { sambalab: IDebugHandle };

/** What is measured, and Python that writes the file at `path`. */
const IMAGES = {
  '12,000 × 12,000 pixels of 16 bits, deflated':
    'tifffile.imwrite(path, image(12_000), compression="zlib", predictor=True, rowsperstrip=64)',
  '20,000 × 20,000 pixels of 16 bits': 'tifffile.imwrite(path, image(20_000), photometric="minisblack")',
  '500 slices of 1000 × 1000 pixels of 16 bits': `with tifffile.TiffWriter(path) as file:
    for slice in range(500):
        file.write(np.roll(image(1000), slice, axis=1), photometric="minisblack", contiguous=True)`
};

const MAKE = `
import sys, numpy as np, tifffile
path = sys.argv[1]
def image(side):
    tile = np.random.default_rng(0).integers(0, 16384, (1000, 1000), dtype=np.uint16)
    ramp = (np.arange(side) * 40_000 // side).astype(np.uint16)
    return np.tile(tile, (side // 1000, side // 1000)) + ramp[:, None]
`;

/** Python that makes a file in another process, whose memory does not count. */
const making = (write: string) => `
import os, resource, subprocess, sys
import sambalab as sl
path = os.path.abspath("large.tif")
subprocess.run([sys.executable, "-c", ${JSON.stringify(MAKE + write)}, path], check=True)
print(os.path.getsize(path))`;

/** Record how long the view lacks a sharp tile, from frame to frame. */
async function watch(root: Locator): Promise<() => Promise<{ longest: number; frames: number }>> {
  await root.evaluate(element => {
    const seen = { longest: 0, frames: 0 };
    let since: number | null = null;
    const frame = () => {
      seen.frames++;
      const lacks = ((element as Handled).sambalab.state as { tilesPending: number }).tilesPending > 0;
      since = lacks ? (since ?? performance.now()) : null;
      seen.longest = Math.max(seen.longest, since === null ? 0 : performance.now() - since);
      if (element.isConnected && (window as unknown as { seen: unknown }).seen === seen) {
        requestAnimationFrame(frame);
      }
    };
    Object.assign(window, { seen });
    requestAnimationFrame(frame);
  });
  return () =>
    root.evaluate(() => {
      const { seen } = window as unknown as { seen: { longest: number; frames: number } };
      Object.assign(window, { seen: null });
      return seen;
    });
}

/** The milliseconds since 1970 of the frame in which a canvas of the widget first shows a picture. */
async function firstPicture(page: IJupyterLabPageFixture): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>(resolve => {
        const frame = () => {
          const canvas = document.querySelector<HTMLCanvasElement>('.sambalab-canvas canvas');
          if (canvas && canvas.width > 0) {
            const { data } = canvas.getContext('2d')!.getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1);
            if (data[3]! > 0) {
              resolve(Date.now());
              return;
            }
          }
          requestAnimationFrame(frame);
        };
        frame();
      })
  );
}

for (const [name, write] of Object.entries(IMAGES)) {
  test(`Opening ${name}`, async ({ page, tmpPath }) => {
    test.setTimeout(600_000);
    const cell = `lab = sl.Labeller(path, classes=["a", "b"], name="large", fresh=True); lab`;
    const notebook = await TestNotebook.open(page, `${tmpPath}/large.ipynb`, [making(write), cell, '']);
    const bytes = await notebook.run(0);
    const start = Date.now();
    await notebook.start(1);
    const shown = firstPicture(page);
    await notebook.finished(1);
    const ran = Date.now() - start;
    const first = (await shown) - start;
    const lab = await LabellerPage.in(page);
    const sharp = Date.now();
    for (let i = 0; i < 30 && (await lab.scale()) < 0.9; i++) {
      await lab.press('+');
    }
    const settled = () =>
      lab.root.evaluate(
        element => ((element as Handled).sambalab.state as { tilesPending: number }).tilesPending === 0
      );
    while (!(await settled())) {
      await page.waitForTimeout(20);
    }
    const say = (text: string) =>
      console.log(`${name}: ${text}; load ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores`);
    say(
      `${(Number(bytes) / 1e6).toFixed(0)} MB; the cell ${ran} ms, first picture ${first} ms after its start; ` +
        `${Date.now() - sharp} ms of zooming to sharp at ${((await lab.scale()) * 100).toFixed(0)} %`
    );
    for (const time of ['first', 'second']) {
      const seen = await watch(lab.root);
      for (const key of ['ArrowRight', 'ArrowLeft']) {
        for (let i = 0; i < 12; i++) {
          await lab.press(key);
          await page.waitForTimeout(30);
        }
      }
      const { longest, frames } = await seen();
      say(
        `panning across and back, the ${time} time: at most ${longest.toFixed(0)} ms without a sharp tile, in ${frames} frames`
      );
    }
    const own = await notebook.execute(2, 'print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)');
    say(`kernel at most ${own.trim()} MB`);
    await tellMemory(page, 'afterwards');
    await notebook.execute(2, 'lab.close(); os.remove(path)');
  });
}
