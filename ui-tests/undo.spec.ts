/** Undo and redo in the widget: keys, buttons and the list, through a reload, with Python's changes among the steps. */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage, PARTICLES } from './labeller';
import { TestNotebook } from './notebook';

const CELL = 'lab = sl.Labeller(image, classes=["particle", "matrix"], name="undo", fresh=True); lab';
const COUNTS = 'print(np.bincount(lab.labels.ravel(), minlength=3)[1:].tolist())';

test('Strokes, suggestions and Python’s labels are undone and made again, also after a reload', async ({
  page,
  tmpPath
}) => {
  const { setup, object, ground } = PARTICLES;
  const notebook = await TestNotebook.open(page, `${tmpPath}/undo.ipynb`, [setup, CELL, '']);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const counts = async () => (await notebook.execute(2, COUNTS)).trim();
  const undo = lab.root.getByTestId('sambalab-undo');
  const redo = lab.root.getByTestId('sambalab-redo');
  await expect(undo).toHaveAttribute('aria-disabled', 'true');
  await expect(redo).toHaveAttribute('aria-disabled', 'true');

  await lab.label({ object, ground: ground.slice(0, 2) });
  await notebook.execute(2, 'lab.set_labels(np.where(lab.labels == 1, 2, lab.labels))');
  const all = await counts();
  await expect.poll(() => lab.read('labels', object.row, object.column)).toBe(2);
  await expect(undo).toHaveAttribute('title', /Labels set \(Python\)/);

  // Ctrl+Z takes Python's labels back, then the strokes one by one; the page shows what Python has.
  await lab.press('Control+z');
  await expect.poll(() => lab.read('labels', object.row, object.column)).toBe(1);
  await lab.press('Control+z');
  await lab.saved();
  await expect.poll(() => lab.read('labels', ground[1]!.row, ground[1]!.column)).toBe(0);
  expect(await lab.read('labels', ground[0]!.row, ground[0]!.column)).toBe(2);
  const before = await counts();
  await undo.click();
  await undo.click();
  await expect.poll(() => lab.countLabelled()).toBe(0);
  expect(await counts()).toBe('[0, 0]');
  await expect(undo).toHaveAttribute('aria-disabled', 'true');

  // The steps are there after a reload, and after the cell ran again.
  await page.notebook.save();
  await notebook.reload();
  await notebook.execute(1, CELL.replace(', fresh=True', ''));
  const reopened = await LabellerPage.in(page);
  for (let i = 0; i < 2; i++) {
    await reopened.press('Control+Shift+z');
  }
  await expect.poll(async () => (await notebook.execute(2, COUNTS)).trim()).toBe(before);
  await reopened.press('Control+y');
  await reopened.press('Control+y');
  await expect.poll(async () => (await notebook.execute(2, COUNTS)).trim()).toBe(all);
  await expect.poll(() => reopened.read('labels', object.row, object.column)).toBe(2);

  // A click in the list goes to a step, back and forth.
  await reopened.open('history');
  const steps = reopened.root.getByTestId('sambalab-history-step');
  await expect(steps).toHaveText([/SAM suggestion/, /Brush/, /Brush/, /Labels set \(Python\)/]);
  await steps.first().click();
  await expect(steps.first()).toHaveAttribute('aria-current', 'step');
  await expect.poll(() => reopened.read('labels', ground[0]!.row, ground[0]!.column)).toBe(0);
  expect(await reopened.read('labels', object.row, object.column)).toBe(1);
  await steps.nth(2).click();
  await expect.poll(() => reopened.read('labels', ground[1]!.row, ground[1]!.column)).toBe(2);
});

test('Ctrl+Z in the labeller leaves the notebook’s cells alone, and a stroke after it is kept', async ({
  page,
  tmpPath
}) => {
  const { setup, ground } = PARTICLES;
  const notebook = await TestNotebook.open(page, `${tmpPath}/undo-cells.ipynb`, [setup, CELL, '']);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  await lab.press('b');
  const [a, b] = [ground[0]!, ground[1]!];
  await lab.stroke([a, { row: a.row, column: a.column + 20 }]);
  // Without waiting for answers: the step that is undone is the one before, not the stroke after.
  await lab.press('Control+z');
  await lab.stroke([b, { row: b.row, column: b.column + 20 }]);
  await lab.saved();
  expect(await lab.read('labels', a.row, a.column)).toBe(0);
  expect(await lab.read('labels', b.row, b.column)).toBe(1);
  const shown = await lab.countLabelled();
  expect((await notebook.execute(2, 'print(int((lab.labels > 0).sum()))')).trim()).toBe(String(shown));
  expect(await page.locator('.jp-Cell').nth(1).locator('.cm-content').innerText()).toContain('name="undo"');
});
