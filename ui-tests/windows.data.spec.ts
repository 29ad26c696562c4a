/** Suggestions in a view that is zoomed in, on a micrograph of `../shared/data` (suite `data`). */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage, SUPERALLOY } from './labeller';
import { TestNotebook } from './notebook';

test('No border of a window cuts an object that fills the view', async ({ page, tmpPath }) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/windows.ipynb`, [
    SUPERALLOY.setup,
    'lab = sl.Labeller(image, classes=["precipitate", "matrix"], fresh=True); lab'
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  await lab.samReady();
  await lab.moveTo(180, 240);
  const whole = await lab.suggestionAt(180, 240);
  await page.mouse.move(3, 3);
  for (let i = 0; i < 2; i++) {
    await lab.press('+');
  }
  await expect.poll(() => lab.scale()).toBeGreaterThan(2.4);
  // Places on both sides of the border between the windows of 256 pixels.
  for (const [row, column] of [
    [180, 240],
    [200, 260]
  ] as const) {
    await lab.moveTo(row, column);
    await page.waitForTimeout(5000); // until then the whole image answers
    const { pixels } = await lab.suggestionAt(row, column);
    const both = pixels.filter((pixel, i) => pixel && whole.pixels[i]).length;
    const either = pixels.filter((pixel, i) => pixel || whole.pixels[i]).length;
    expect(both / either).toBeGreaterThan(0.9);
  }
});
