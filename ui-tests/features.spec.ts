/** Features and forest in the panel, the preview of a feature, and classifiers in files. */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jupyterlab/galata';
import { GOLD, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

test('A training uses the choice of the panel, and the panel shows the choice of Python', async ({ page, tmpPath }) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/choice.ipynb`, [
    GOLD.setup,
    'lab = sl.Labeller(image, classes=["object", "ground"], name="choice", fresh=True); lab',
    ''
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const part = (name: string) => lab.root.getByTestId(`sambalab-${name}`);
  await lab.label(GOLD);
  await expect(part('training-what')).toContainText(/\d+ channels/);

  await lab.open('features');
  await part('feature-set').selectOption('weka');
  await part('family-median').check();
  await part('sigmas').fill('1, 2, 4, x');
  await expect(part('features')).toContainText('“x”');
  await part('sigmas').fill('1, 2, 4');
  await expect(part('features')).not.toContainText('“x”');
  await lab.open('forest');
  await part('forest-preset').selectOption('deep');
  await lab.open('forest-parameters');
  await part('forest-trees').fill('20');
  await expect(part('training-what')).toContainText(/Deep, changed · 20 trees · \d+ channels/);
  // Without a pause: the choice is sent before the training.
  await lab.train();
  const checks = await notebook.execute(
    2,
    `
names = lab.classifier.feature_names
checks = {
    "median": [name for name in names if name.startswith("median")] == ["median r=1", "median r=2", "median r=4"],
    "weka": any(name.startswith("hessian orientation") for name in names),
    "scales": not any("σ=8" in name or "σ=16" in name for name in names),
    "trees": lab.classifier.n_trees == 20,
}
print([name for name, right in checks.items() if not right], len(names))`
  );
  const [, wrong, channels] = /^(\[.*\]) (\d+)/.exec(checks.trim())!;
  expect(wrong).toBe('[]');
  await expect(part('training-what')).toContainText(`${channels} channels`);
  await expect(part('training-note')).toContainText('Out-of-bag score');
  await lab.open('scores');
  await expect(part('important').locator('li')).toHaveCount(5);

  await notebook.execute(2, 'lab.train(features={"set": "samba", "mean": True}, trees=10)');
  await expect(part('family-mean')).toBeChecked();
  await expect(part('family-median')).not.toBeChecked();
  await expect(part('sigmas')).toHaveValue('1, 2, 4, 8, 16');
  await expect(part('training-what')).toContainText('10 trees');
  expect(await lab.error()).toBeNull();
});

test('The preview shows the pixels of the feature, over the image alone', async ({ page, tmpPath }) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/preview.ipynb`, [
    `${GOLD.setup}\nimage = np.ascontiguousarray(image[:512, :512])`,
    'lab = sl.Labeller(image, classes=["object", "ground"], name="preview", fresh=True); lab',
    ''
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const part = (name: string) => lab.root.getByTestId(`sambalab-${name}`);
  // From 200 % on, the pixel of the screen under an image pixel's centre shows that pixel, however tiles are rounded to the screen.
  for (let i = 0; i < 20 && (await lab.scale()) < 2; i++) {
    await lab.press('+');
  }
  expect(await lab.scale()).toBeGreaterThanOrEqual(2);
  // In all four tiles of 256² pixels, and three at their borders.
  const places = [
    [180, 200],
    [255, 255],
    [256, 255],
    [170, 300],
    [255, 256],
    [300, 333],
    [330, 190]
  ] as const;
  const corner = [3, 4] as const; // outside of the view
  const bare = await Promise.all(places.map(([row, column]) => lab.pixel(row, column)));
  await lab.open('features');
  await part('feature-set').selectOption('samba'); // features of the pixels without standardising
  await lab.open('preview-section');
  await part('preview-channel').selectOption({ label: 'gaussian σ=4' });
  await part('preview').click();
  await expect(part('preview-note')).toContainText(/^Black/);
  const [, low, high] = /^Black ([-\d.e]+), white ([-\d.e]+)/.exec((await part('preview-note').textContent())!)!;
  const expected = JSON.parse(
    await notebook.execute(
      2,
      `
from scipy.ndimage import gaussian_filter
smooth = gaussian_filter(image.astype(np.float64), 4, mode="nearest", truncate=4)
grey = np.clip((smooth - ${low}) / (${high} - ${low}) * 255, 0, 255)
print(json.dumps([float(grey[row, column]) for row, column in ${JSON.stringify([...places, corner])}]))`
    )
  ) as number[];
  await page.mouse.move(5, 5);
  for (const [i, [row, column]] of places.entries()) {
    const level = await lab.feature(row, column);
    expect(Math.abs(level - expected[i]!), `${row}, ${column}`).toBeLessThanOrEqual(2);
    await expect
      .poll(() => lab.pixel(row, column), `the screen at ${row}, ${column}`)
      .toEqual([level, level, level, 255]);
  }
  expect(Math.abs((await lab.feature(...corner)) - expected.at(-1)!)).toBeLessThanOrEqual(2);
  // H hides the preview while it is held, also right after the list was used, and changes nothing in the list. The eye hides it until it is pressed again.
  const chosen = await part('preview-channel').inputValue();
  for (const over of [false, true]) {
    await part('preview-channel').focus();
    await (over ? lab.moveTo(360, 360) : page.mouse.move(5, 5));
    await page.keyboard.down('h');
    await expect.poll(() => lab.pixel(180, 200)).toEqual(bare[0]);
    await page.keyboard.up('h');
    await expect.poll(() => lab.pixel(180, 200)).not.toEqual(bare[0]);
  }
  await page.mouse.move(5, 5);
  await expect(part('preview-channel')).toHaveValue(chosen);
  await part('preview').click();
  await expect.poll(() => lab.pixel(300, 333)).toEqual(bare[5]);
  expect(await lab.error()).toBeNull();
});

test('A classifier that is saved in one labeller gives the same segmentation in another', async ({ page, tmpPath }) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/files.ipynb`, [
    GOLD.setup,
    'lab = sl.Labeller(image, classes=["object", "ground"], name="saved here", fresh=True); lab',
    'lab2 = sl.Labeller(image, classes=["object", "ground"], name="loaded there", fresh=True); lab2',
    ''
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  await lab.label(GOLD);
  await lab.open('classifier');
  await expect(lab.root.getByTestId('sambalab-save')).toBeDisabled();
  await lab.train();
  const save = async (format: string) => {
    // By keyboard: the focus must stay on the button.
    await lab.root.getByTestId('sambalab-save').press('Enter');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      lab.root.getByTestId(`sambalab-save-${format}`).press('Enter')
    ]);
    await expect(lab.root.getByTestId('sambalab-save')).toBeFocused();
    return { name: download.suggestedFilename(), path: await download.path() };
  };
  const json = await save('json');
  expect(json.name).toMatch(/\.json$/);
  expect(Object.keys(JSON.parse(readFileSync(json.path, 'utf8')) as object)).toContain('classes');
  const onnx = await save('onnx');
  expect(onnx.name).toMatch(/\.onnx$/);

  // A different classifier is loaded between the two, so that each of them has to replace one.
  await notebook.execute(
    3,
    'wanted = lab.segmentation.copy(); unlabelled = lab.labels == 0\nlab.train(features={"sigmas": [16]}, trees=2)'
  );
  await expect(lab.root.getByTestId('sambalab-training-what')).toContainText('2 trees');
  const different = await save('json');

  await notebook.run(2);
  const other = await LabellerPage.in(page);
  await other.open('classifier');
  const part = (name: string) => other.root.getByTestId(`sambalab-${name}`);
  await part('load-file').setInputFiles({
    name: 'broken.json',
    mimeType: 'application/json',
    buffer: Buffer.from('{"')
  });
  await expect(part('files-note')).not.toBeEmpty();
  await expect(part('files-note').locator('..')).toHaveAttribute('data-kind', 'error');
  await part('files-cancel').press('Enter');
  await expect(part('files-note').locator('..')).toBeHidden();
  await expect(part('load')).toBeFocused();
  for (const { path } of [onnx, different, json]) {
    const before = await other.version();
    await part('load-file').setInputFiles({ name: 'classifier', mimeType: '', buffer: readFileSync(path) });
    await expect(part('files-note')).toContainText('is the classifier now');
    await expect.poll(() => other.version()).toBeGreaterThan(before);
    await expect(part('training-note')).toContainText('loaded from a file');
    const same = await notebook.execute(
      3,
      'print(bool((wanted == lab2.segmentation)[unlabelled].all()), lab2.segmentation.max())'
    );
    expect(same.trim()).toBe(path === different.path ? 'False 2' : 'True 2');
  }
  expect(await other.error()).toBeNull();
});
