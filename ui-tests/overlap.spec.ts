/** Where new labels overlap older ones, and what the eraser takes: each choice of the toolbar, compared with Python's array pixel by pixel. */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage, PARTICLES } from './labeller';
import { TestNotebook } from './notebook';

/** Labels in stripes: two rows of the image's brush strokes cross unlabelled pixels, class 1 and class 2. */
const CELL = `
before = np.zeros(image.shape, np.uint8)
before[:, 200:260] = 1
before[:, 260:330] = 2
lab = sl.Labeller(image, classes=["a", "b", "c"], name="overlap", fresh=True)
lab.set_labels(before)
lab`;

test('Strokes and the eraser change exactly the labels that the toolbar says', async ({ page, tmpPath }) => {
  const { setup } = PARTICLES;
  const notebook = await TestNotebook.open(page, `${tmpPath}/overlap.ipynb`, [setup, CELL, '']);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const choose = (name: string) => lab.root.getByTestId(`sambalab-${name}`).click();
  const isPressed = (name: string) => lab.root.getByTestId(`sambalab-${name}`).getAttribute('aria-pressed');
  /** How many pixels of Python's labels differ from an expression. */
  const differ = async (expected: string) =>
    Number((await notebook.execute(2, `print((lab.labels != (${expected})).sum())`)).trim());
  /** The same stroke, from unlabelled pixels, or backwards from class 2, or from class 1. */
  const draw = async (columns: number[]) => {
    await lab.stroke(columns.map(column => ({ row: 100, column })));
    await lab.saved();
  };
  const undo = async () => {
    await lab.press('Control+z');
    await expect.poll(() => differ('before')).toBe(0);
  };

  await lab.press('b');
  await lab.press('3');
  expect(await isPressed('overlap-keep')).toBe('true');
  await expect(lab.root.getByTestId('sambalab-erases')).toBeHidden();

  // Paint over: this shows which pixels the stroke covers.
  const path = [180, 310];
  await choose('overlap-over');
  const drawn = await lab.pixel(100, 230);
  await draw(path);
  await notebook.execute(2, 'stroke = lab.labels == 3; print(stroke[100, 180:310].all())');
  expect(await differ('np.where(stroke, 3, before)')).toBe(0);
  await expect.poll(() => lab.pixel(100, 230)).not.toEqual(drawn);
  await undo();

  await choose('overlap-keep');
  await draw(path);
  expect(await differ('np.where(stroke & (before == 0), 3, before)')).toBe(0);
  await undo();

  // Over the label under the first point only: unlabelled pixels, or class 2.
  await choose('overlap-same');
  await draw(path);
  expect(await differ('np.where(stroke & (before == 0), 3, before)')).toBe(0);
  await undo();
  await draw([...path].reverse());
  expect(await differ('np.where(stroke & (before == 2), 3, before)')).toBe(0);
  await undo();

  // The eraser takes all labels, or those of the current class.
  await lab.press('e');
  await expect(lab.root.getByTestId('sambalab-overlap')).toBeHidden();
  await draw(path);
  expect(await differ('np.where(stroke, 0, before)')).toBe(0);
  await undo();
  await lab.press('1');
  await choose('erases-current');
  await draw(path);
  expect(await differ('np.where(stroke & (before == 1), 0, before)')).toBe(0);
  await undo();
});
