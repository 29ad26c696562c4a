/**
 * Measures how soon a suggestion is there in a part of a large image that SAM has not seen: from the end of zooming to the first suggestion under the
 * pointer, which may come from a larger window, and to the sharpest. `npm run measure -- large-suggestions` prints the figures.
 */
import { cpus, loadavg } from 'node:os';
import { test } from '@jupyterlab/galata';
import type { IDebugHandle } from '../src/widget/frame/debug';
import { LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

type Handled = HTMLElement & { sambalab: IDebugHandle };

/** Discs of 12 to 19 pixels' radius, 97 pixels apart, in noise. */
const SETUP = `
import numpy as np, sambalab as sl
rng = np.random.default_rng(0)
image = rng.normal(90, 12, (4000, 6000)).clip(0, 255).astype(np.uint8)
yy, xx = np.mgrid[-24:25, -24:25]
for cy in range(60, 3960, 97):
    for cx in range(60, 5960, 97):
        disc = yy**2 + xx**2 <= int(rng.integers(12, 20)) ** 2
        part = image[cy - 24 : cy + 25, cx - 24 : cx + 25]
        part[disc] = rng.normal(170, 12, disc.sum()).clip(0, 255)
lab = sl.Labeller(image, classes=["disc", "ground"], name="large suggestions", fresh=True)
lab`;
/** How long each place is looked at. */
const SECONDS = 6;
const PLACES = [
  [10, 10],
  [30, 50],
  [20, 30],
  [5, 55],
  [35, 5]
].map(([row, column]) => ({ row: 60 + 97 * row!, column: 60 + 97 * column! }));

test('Regions of an image of 6000 × 4000', async ({ page, tmpPath }) => {
  test.setTimeout(300_000);
  const notebook = await TestNotebook.open(page, `${tmpPath}/large.ipynb`, [SETUP]);
  await notebook.run(0);
  const lab = await LabellerPage.in(page);
  const opened = Date.now();
  await lab.samReady();
  console.log(`the whole image's embedding: ${((Date.now() - opened) / 1000).toFixed(1)} s after the widget`);
  for (const place of PLACES) {
    await lab.press('0');
    await page.waitForTimeout(500);
    await lab.moveTo(place.row, place.column);
    for (let i = 0; i < 12 && (await lab.scale()) < 0.9; i++) {
      const at = await lab.at(place);
      await page.mouse.move(at.x, at.y);
      await page.keyboard.down('Control');
      await page.mouse.wheel(0, -200);
      await page.keyboard.up('Control');
      await page.waitForTimeout(40);
    }
    const begun = Date.now();
    await lab.moveTo(place.row, place.column);
    // In the page: the mask of the whole image is too large to be passed on.
    const { count, covers, scale, first, last } = await lab.root.evaluate(
      async (element, { row, column, SECONDS }) => {
        const handle = (element as Handled).sambalab;
        const isThere = () => handle.suggestion?.at.row === row && handle.suggestion.at.column === column;
        let [first, last, scores] = [0, 0, ''];
        for (const begun = Date.now(); Date.now() - begun < SECONDS * 1000;) {
          if (isThere() && scores !== JSON.stringify(handle.suggestion!.scores)) {
            scores = JSON.stringify(handle.suggestion!.scores);
            last = Date.now();
            first ||= last;
          }
          await new Promise(resolve => setTimeout(resolve, 100));
        }
        const { mask, columns } = handle.suggestion!;
        return {
          count: mask.reduce((sum, inside) => sum + inside, 0),
          covers: mask[row * columns + column] === 1,
          scale: (handle.state as { scale: number }).scale,
          first,
          last
        };
      },
      { ...place, SECONDS }
    );
    const after = (time: number) => ((time - begun) / 1000).toFixed(1);
    console.log(
      `at row ${place.row}, column ${place.column}: ${after(first)} s, the sharpest ${after(last)} s; a mask of ${count} pixels, ${covers ? 'with' : 'without'} the pointer ` +
        `(${(scale * 100).toFixed(0)} %, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)})`
    );
  }
});
