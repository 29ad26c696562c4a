/** The region to work on in the widget: what is drawn, learned and segmented is the same in Python, and stays over a reload. */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

/** A flat image whose right half is brighter. The labels outside of the region of the test are wrong. */
const CELL = `
import numpy as np, sambalab as sl
image = np.full((300, 300), 60, np.uint8)
image[:, 150:] = 180
labels = np.zeros(image.shape, np.uint8)
labels[120:130, 70:130] = 1
labels[120:130, 170:230] = 2
labels[10:20, 20:280] = 1
lab = sl.Labeller(image, classes={"dark": "#ff0000", "bright": "#0000ff"}, name="region")
lab.set_labels(labels)
lab`;

test.use({ autoGoto: true });

test('A region is dragged, trained, resized by its edge and cleared, and Python and a reload agree', async ({
  page,
  tmpPath
}) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/region.ipynb`, [CELL, '']);
  await notebook.run(0);
  let lab = await LabellerPage.in(page);
  const python = (code: string) => notebook.execute(1, code);
  const chip = () => lab.root.getByTestId('sambalab-clear-region');
  const drag = (from: [number, number], to: [number, number]) =>
    lab.stroke([from, to].map(([row, column]) => ({ row, column })));
  await expect(chip()).toBeHidden();
  await lab.press('r');
  await drag([50, 40], [250, 260]);
  await expect(chip()).toBeVisible();
  const near = (line: string, expected: number[]) => {
    const found = (/\d[\d ]*/.exec(line)?.[0] ?? '').trim().split(/\s+/).map(Number);
    expect(found).toHaveLength(expected.length);
    found.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(2));
  };
  const ENDS = 'r, c = lab.region; print(r.start, r.stop, c.start, c.stop)';
  near(await python(ENDS), [50, 250, 40, 260]);

  await lab.press('t');
  await expect.poll(() => lab.read('segmentation', 200, 100), { timeout: 60_000 }).toBe(1);
  await expect.poll(() => lab.read('segmentation', 200, 200)).toBe(2);
  expect(await lab.read('segmentation', 280, 200)).toBe(0);
  expect(await lab.read('labels', 15, 200)).toBe(1); // it stays, and is not learned
  expect(
    await python(`
inside = np.zeros(image.shape, bool); inside[lab.region] = True
truth = np.where(image > 100, 2, 1)
print(np.array_equal(lab.segmentation, np.where(inside, truth, 0)), lab.classifier.n_samples, np.array_equal(lab.labels, labels))`)
  ).toContain('True 1200 True');

  // An edge alone; what the smaller region has of the segmentation stays.
  await drag([250, 150], [220, 190]);
  near(await python(ENDS), [50, 220, 40, 260]);
  await expect.poll(() => lab.read('segmentation', 235, 200)).toBe(0);
  expect(await lab.read('segmentation', 200, 200)).toBe(2);

  await page.notebook.save();
  await notebook.reload();
  lab = await LabellerPage.in(page);
  await expect(chip()).toBeVisible();
  await expect.poll(() => lab.read('segmentation', 200, 200)).toBe(2);

  // Python's region shows at once, and the button ends it.
  await python('lab.region = np.s_[0:100, 10:290]');
  await expect.poll(() => lab.read('segmentation', 200, 200)).toBe(0);
  await chip().click();
  await expect(chip()).toBeHidden();
  await expect.poll(() => python('print(lab.region)')).toContain('None');
});
