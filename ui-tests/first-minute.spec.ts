/** The first minute of a new user: the status line says what to do, and a stroke that was too much can be undone there. */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage, PARTICLES } from './labeller';
import { TestNotebook } from './notebook';

const CELL = 'lab = sl.Labeller(image, classes=["particle", "matrix"], name="first minute", fresh=True); lab';

test('The status line leads a new user, and undoes a label over most of the image', async ({ page, tmpPath }) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/first.ipynb`, [PARTICLES.setup, CELL, '']);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const status = lab.root.getByTestId('sambalab-status');
  const undo = lab.root.getByTestId('sambalab-undo-large');
  await lab.samReady();
  await expect(status).toHaveText('Click on “particle”, then press 2 and click on “matrix”; then Train.');
  await expect(undo).toBeHidden();
  await lab.press('p');
  for (const [row, column] of [
    [30, 30],
    [30, 480],
    [480, 480],
    [480, 30]
  ] as const) {
    await lab.moveTo(row, column);
    await lab.click();
  }
  await lab.press('Enter');
  await expect(status).toContainText('That labelled 77 % of the image as “particle”.');
  await lab.press('2');
  await lab.press('b');
  await undo.click();
  await expect(undo).toBeHidden();
  await expect(status).toHaveText('Click on “matrix”, then press 1 and click on “particle”; then Train.');
  expect((await notebook.execute(2, 'print(lab.labels.any())')).trim()).toBe('False');
  await lab.stroke([PARTICLES.ground[0], { row: 24, column: 160 }]);
  await expect(status).toHaveText('Now press 1 and click on “particle”, or paint it; then Train.');
});
