/** The flood fill in the real page, compared with scikit-image's pixel by pixel; and the size of the brush by Alt and the wheel. */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage, PARTICLES } from './labeller';
import { TestNotebook } from './notebook';

const CELL = `
from skimage.segmentation import flood
from scipy.ndimage import gaussian_filter
smooth = (gaussian_filter(image.astype(float), 2) * 200).astype(np.uint16)
lab = sl.Labeller(smooth, classes=["particle", "matrix"], name="flood", fresh=True)
lab`;

test('A click fills what scikit-image fills, with the tolerance of the slider, in one step', async ({
  page,
  tmpPath
}) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/flood.ipynb`, [PARTICLES.setup, CELL, '']);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const python = async (source: string) => (await notebook.execute(2, source)).trim();
  const slider = lab.root.getByTestId('sambalab-tolerance');
  await expect(slider).toBeHidden();
  await lab.press('f');
  await expect(lab.root.getByTestId('sambalab-brush-size')).toBeHidden();
  const { row, column } = PARTICLES.object;
  let known = 0;
  for (const tolerance of ['8', '14.5']) {
    await slider.fill(tolerance);
    const shown = (await slider.getAttribute('aria-valuetext'))!;
    await lab.moveTo(row, column);
    await lab.click();
    await expect.poll(() => lab.countLabelled()).toBeGreaterThan(known);
    await lab.saved();
    known = Number(
      await python(`
display = lab._state["image"]["display"]
difference = int((display["high"] - display["low"]) * ${tolerance} / 100 + 0.5)
want = flood(smooth, (${row}, ${column}), connectivity=1, tolerance=difference)
assert np.array_equal(lab.labels, want), (lab.labels.sum(), want.sum())
assert abs(difference - float("${shown}".replace("±", "").replace(",", ""))) <= difference / 200, difference
step = lab.history[-1]
assert (step.tool, step.provenance) == ("flood", "hand"), step
print(want.sum())`)
    );
  }
  expect(known).toBeGreaterThan(300);
  expect(await lab.countLabelled()).toBe(known);
  // Alt erases the same region, of labels that it may erase; undo brings it back.
  await lab.moveTo(row, column);
  await page.keyboard.down('Alt');
  await lab.click();
  await page.keyboard.up('Alt');
  await expect.poll(() => lab.countLabelled()).toBe(0);
  await lab.press('Control+z');
  await expect.poll(() => lab.countLabelled()).toBe(known);

  await lab.press('b');
  const value = lab.root.getByTestId('sambalab-brush-size');
  await expect(value).toHaveAttribute('aria-valuetext', '15 px');
  await lab.moveTo(row, column);
  const scale = await lab.scale();
  await page.keyboard.down('Alt');
  await page.mouse.wheel(0, -60);
  await page.keyboard.up('Alt');
  await expect(lab.root.locator('label', { has: page.getByTestId('sambalab-brush-size') })).toContainText('17 px');
  expect(await lab.scale()).toBe(scale);
});
