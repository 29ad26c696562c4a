/**
 * Measures how soon a suggestion follows the pointer in the real page: 300 positions at 30 a second on each image, with our kernels and with the
 * decoder's graph. `npm run measure -- suggestions` prints the figures.
 */
import { cpus, loadavg } from 'node:os';
import { test } from '@jupyterlab/galata';
import type { Locator } from '@playwright/test';
import type { IDebugHandle } from '../src/widget/frame/debug';
import { LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

type Handled = HTMLElement & { sambalab: IDebugHandle };

/** Python that reads each image. The micrographs lie in `../shared/data`. */
const IMAGES = {
  'a superalloy': 'np.asarray(Image.open(folder / "superalloy_0.png").convert("L"))',
  'a coating': 'np.asarray(Image.open(folder / "coating_0.png").convert("L"))',
  'a tomogram': 'np.asarray(Image.open(folder / "tomography_0.tif"))'
};

const POSITIONS = 300;
const PER_SECOND = 30;

/** Times in milliseconds, sorted. */
function summary(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(0);
  return `median ${at(0.5)} ms, 95th percentile ${at(0.95)} ms, of ${sorted.length} suggestions`;
}

/** Move the pointer along a path of pixels at a steady rate, in the page itself. */
async function sweep(root: Locator, positions: number, perSecond: number): Promise<void> {
  await root.evaluate(
    async (element, [count, rate]) => {
      const canvas = element.querySelector<HTMLElement>('.sambalab-canvas')!;
      const box = canvas.getBoundingClientRect();
      const target = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)!;
      const begun = performance.now();
      for (let i = 0; i < count!; i++) {
        // A curve that crosses the whole picture.
        const x = box.x + box.width * (0.5 + 0.42 * Math.sin(i * 0.131));
        const y = box.y + box.height * (0.5 + 0.42 * Math.cos(i * 0.077));
        const init = { clientX: x, clientY: y, bubbles: true, pointerId: 1, pointerType: 'mouse', isPrimary: true };
        target.dispatchEvent(new PointerEvent('pointermove', init));
        const wait = begun + ((i + 1) * 1000) / rate! - performance.now();
        await new Promise(resolve => setTimeout(resolve, Math.max(0, wait)));
      }
      await new Promise(resolve => setTimeout(resolve, 2000));
    },
    [positions, perSecond]
  );
}

for (const decoder of ['kernels', 'graph'] as const) {
  test.describe(decoder, () => {
    test.use({ mockSettings: { 'sambalab:widget': { decoder } } });

    for (const [name, read] of Object.entries(IMAGES)) {
      test(name, async ({ page, tmpPath }) => {
        const notebook = await TestNotebook.open(page, `${tmpPath}/suggestions.ipynb`, [
          `
import os
from pathlib import Path
import numpy as np
from PIL import Image
import sambalab as sl
folder = Path(os.environ["SAMBALAB_TEST_DATA"])
image = ${read}
lab = sl.Labeller(image, classes=["object", "ground"])
lab`,
          ''
        ]);
        await notebook.run(0);
        const lab = await LabellerPage.in(page);
        await lab.samReady();
        await sweep(lab.root, 10, PER_SECOND);
        const before = await lab.root.evaluate(element => (element as Handled).sambalab.suggestionTimes.length);
        await sweep(lab.root, POSITIONS, PER_SECOND);
        const times = await lab.root.evaluate(element => [...(element as Handled).sambalab.suggestionTimes]);
        const load = loadavg()[0]!.toFixed(1);
        console.log(`${name}, ${decoder}: ${summary(times.slice(before))} (${cpus().length} cores, load ${load})`);
      });
    }
  });
}
