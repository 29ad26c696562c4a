/** Overlays of a large image, zoomed out: what they fetch, and what they show. */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

/** Grey stripes of 512 columns, and a few labels; segmented before the widget shows. */
const CELL = `
import numpy as np, sambalab as sl
image = np.full((6144, 6144), 60, np.uint8)
image.reshape(6144, 12, 512)[:, 1::2] = 180
labels = np.zeros(image.shape, np.uint8)
labels[40:60, 20:100] = 1
labels[40:60, 600:700] = 2
lab = sl.Labeller(image, classes={"dark": "#ff0000", "bright": "#0000ff"}, name="large", fresh=True)
lab.set_labels(labels)
lab.train(features=sl.FeatureSpec("samba", families={}, sigmas=[1]), preset="samba", trees=2)
print("trained")`;

test.use({ autoGoto: true });

test('Overlays of a large image fetch no more tiles than the screen shows, and are right at each zoom', async ({
  page,
  tmpPath
}) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/large.ipynb`, ['', 'lab', '']);
  await notebook.execute(0, CELL);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const over = (top: number[], grey: number) => top.map(value => Math.round(value * 0.4 + grey * 0.6));
  const shows = (row: number, column: number, rgb: number[]) =>
    expect.poll(async () => (await lab.pixel(row, column)).slice(0, 3)).toEqual(rgb);
  await shows(3000, 256, over([255, 0, 0], 60));
  await shows(3000, 768, over([0, 0, 255], 180));
  await shows(6000, 5888, over([0, 0, 255], 180));
  expect(await lab.read('segmentation', 3000, 768)).toBe(2);
  // At full resolution it has 576 tiles.
  expect((await lab.load()).tiles).toBeLessThanOrEqual(64);
  // A stroke by Python shows at once.
  await notebook.execute(2, 'labels[2900:3100, 200:300] = 2; lab.set_labels(labels); print("drawn")');
  await expect.poll(() => lab.read('labels', 3000, 256)).toBe(2);
  expect((await lab.load()).tiles).toBeLessThanOrEqual(64);
  // Zoomed in, the tiles are those of full resolution. How many are fetched on the way depends on how long a view stands.
  await page.mouse.move(0, 0);
  for (let i = 0; i < 12; i++) {
    await lab.press('+');
    await LabellerPage.in(page);
  }
  await expect.poll(() => lab.scale()).toBeGreaterThan(0.5);
  await expect.poll(() => lab.read('segmentation', 3071, 3071)).toBe(2);
  await expect.poll(() => lab.read('segmentation', 3071, 3072)).toBe(1);
  // At most 64 of each of three resolutions, since each view lies in the one before; the four resolutions of the whole image have 765.
  expect((await lab.load()).tiles).toBeLessThanOrEqual(192);
});
