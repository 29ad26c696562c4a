/**
 * Measures how soon a suggestion follows the pointer in the real page: 300 positions at 30 a second on each image, with our kernels in the page and
 * in the sidecar, by the choice between them, and with the decoder's graph in the page; after points were decoded ahead, too, and how well those agree
 * with SAM's answers. `npm run measure -- suggestions` prints the figures; `-g "kernels, sidecar"` those of one run.
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

/** What is measured, as name of the decoder and the route; SAMBALAB_MEASURE_POSITIONS and SAMBALAB_MEASURE_REST shorten it for a trial. */
const RUNS = [
  ['kernels', 'page'],
  ['kernels', 'sidecar'],
  ['kernels', 'auto'],
  ['graph', 'page']
] as const;
const POSITIONS = Number(process.env['SAMBALAB_MEASURE_POSITIONS'] ?? 300);
const PER_SECOND = 30;
/** Time in which points are decoded ahead. */
const REST_MS = 1000 * Number(process.env['SAMBALAB_MEASURE_REST'] ?? 25);
/** Positions at which a first suggestion is compared with SAM's answer. */
const COMPARED = Math.min(60, POSITIONS);

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

/** Overlap (IoU) of first suggestions with SAM's answers, at places where there is one; sorted. */
async function agreement(root: Locator, positions: number): Promise<number[]> {
  const overlaps = await root.evaluate(async (element, count) => {
    const handle = (element as Handled).sambalab;
    const canvas = element.querySelector<HTMLElement>('.sambalab-canvas')!;
    const box = canvas.getBoundingClientRect();
    const target = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)!;
    const found: number[] = [];
    for (let i = 0; i < count; i++) {
      const x = box.x + box.width * (0.5 + 0.42 * Math.sin(i * 1.7 + 0.4));
      const y = box.y + box.height * (0.5 + 0.42 * Math.cos(i * 2.9));
      const init = { clientX: x, clientY: y, bubbles: true, pointerId: 1, pointerType: 'mouse', isPrimary: true };
      let first: Uint8Array | null = null;
      const before = JSON.stringify(handle.suggestion?.at);
      const isThere = () => handle.suggestion !== null && JSON.stringify(handle.suggestion.at) !== before;
      target.dispatchEvent(new PointerEvent('pointermove', init));
      for (let waited = 0; waited < 300 && !isThere(); waited++) {
        first ??= handle.firstMask;
        await new Promise(resolve => setTimeout(resolve, 2));
      }
      const exact = isThere() ? handle.suggestion?.mask : undefined;
      if (first && exact) {
        let [both, any] = [0, 0];
        first.forEach((inside, at) => {
          both += inside & exact[at]!;
          any += inside | exact[at]!;
        });
        found.push(both / any);
      }
    }
    return found;
  }, positions);
  return overlaps.sort((a, b) => a - b);
}

for (const [decoder, decoderRoute] of RUNS) {
  const run = `${decoder}, ${decoderRoute}`;
  test.describe(run, () => {
    test.use({ mockSettings: { 'sambalab:widget': { decoder, decoderRoute } } });

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
        if (decoderRoute === 'auto') {
          await page.waitForTimeout(REST_MS); // points ahead try both routes
        }
        const before = await lab.root.evaluate(element => (element as Handled).sambalab.suggestionTimes.length);
        await sweep(lab.root, POSITIONS, PER_SECOND);
        const times = await lab.root.evaluate(element => [...(element as Handled).sambalab.suggestionTimes]);
        const load = loadavg()[0]!.toFixed(1);
        console.log(`${name}, ${run}: ${summary(times.slice(before))} (${cpus().length} cores, load ${load})`);
        const routes = await lab.root.evaluate(element => (element as Handled).sambalab.decoderRoutes);
        console.log(`${name}, ${run}: ${JSON.stringify(routes)}`);
        if (decoder === 'kernels' && decoderRoute !== 'sidecar') {
          await page.waitForTimeout(REST_MS);
          const overlaps = await agreement(lab.root, COMPARED);
          const mean = overlaps.reduce((sum, each) => sum + each, 0) / overlaps.length;
          console.log(
            `${name}, ${run}: after ${REST_MS / 1000} s of rest a first suggestion at ${overlaps.length} of ${COMPARED} places, ` +
              `overlap with SAM's answer ${mean.toFixed(3)} (median ${overlaps[Math.floor(overlaps.length / 2)]?.toFixed(3)})`
          );
          const past = await lab.root.evaluate(element => (element as Handled).sambalab.firstSuggestionTimes.length);
          await sweep(lab.root, POSITIONS, PER_SECOND);
          const firsts = await lab.root.evaluate(element => [...(element as Handled).sambalab.firstSuggestionTimes]);
          const after = await lab.root.evaluate(element => [...(element as Handled).sambalab.suggestionTimes]);
          console.log(`${name}, ${run}, first: ${summary(firsts.slice(past))}`);
          console.log(`${name}, ${run}, exact after it: ${summary(after.slice(-POSITIONS / 2))}`);
        }
      });
    }
  });
}
