/** Labelling on the shipped micrograph, and where a suggestion lies on a synthetic one whose truth is exact. */
import { expect, test } from '@jupyterlab/galata';
import { GOLD, LabellerPage, PARTICLES } from './labeller';
import { overlapWithParticle, testLabelling } from './labelling';
import { TestNotebook } from './notebook';

testLabelling(GOLD);

test('An accepted suggestion covers the particle under the mouse, or in a box', async ({ page, tmpPath }) => {
  const { object, objects, setup } = PARTICLES;
  const notebook = await TestNotebook.open(page, `${tmpPath}/particle.ipynb`, [
    setup,
    'lab = sl.Labeller(image, classes=["particle", "matrix"], name="particle", fresh=True); lab',
    ''
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  await lab.samReady();
  await lab.moveTo(object.row, object.column);
  await lab.suggestionAt(object.row, object.column);
  await lab.click();
  await lab.saved();
  expect(Number(await notebook.execute(2, overlapWithParticle(object)))).toBeGreaterThan(0.8);

  // Another one by a box and a point outside of it. Undo takes the point back, and no label.
  const other = objects[1]!;
  const size = 20;
  await lab.stroke([
    { row: other.row - size, column: other.column - size },
    { row: other.row + size, column: other.column + size }
  ]);
  const status = lab.root.getByTestId('sambalab-status');
  await expect(status).toHaveText(/^Click what belongs to it/);
  await expect(lab.root.getByTestId('sambalab-scale')).toHaveText('Suggestion: by your prompts');
  const count = await lab.countLabelled();
  await page.keyboard.down('Control');
  await lab.moveTo(other.row - size, other.column - size);
  await lab.click();
  await page.keyboard.up('Control');
  await lab.press('Control+z');
  await expect(lab.root.getByTestId('sambalab-undo')).toHaveAttribute('title', /last prompt/);
  expect(await lab.countLabelled()).toBe(count);
  await lab.press('2');
  await lab.press('Enter');
  await lab.saved();
  await expect(status).not.toHaveText(/^Click what belongs to it/);
  expect(Number(await notebook.execute(2, overlapWithParticle(other, 2)))).toBeGreaterThan(0.8);

  // The particle at the pointer and all like it, one dropped by a click, the others taken as one step.
  await lab.press('1');
  await lab.moveTo(objects[2]!.row, objects[2]!.column);
  await lab.suggestionAt(objects[2]!.row, objects[2]!.column);
  const before = await lab.countLabelled();
  await lab.press('Shift+A');
  await expect(status).toHaveText(/^This object and \d+ like it are proposed/, { timeout: 90_000 });
  const proposed = Number(/\d+/.exec((await status.textContent())!)![0]);
  expect(proposed).toBeGreaterThan(8);
  expect(await lab.countLabelled()).toBe(before);
  await lab.moveTo(objects[3]!.row, objects[3]!.column);
  await lab.click();
  await expect(status).toHaveText(new RegExp(`^This object and ${proposed - 1} like it`));
  await lab.press('Enter');
  await lab.saved();
  const inside = 'print(((lab.labels == 1) & (truth == 1)).sum() / (lab.labels == 1).sum())';
  expect(Number(await notebook.execute(2, inside))).toBeGreaterThan(0.9);
  expect(await lab.read('labels', objects[2]!.row, objects[2]!.column)).toBe(1);
  expect(await lab.read('labels', objects[3]!.row, objects[3]!.column)).toBe(0);
  expect(await lab.countLabelled()).toBeGreaterThan(before * 3);
  await lab.press('Control+z');
  await expect.poll(() => lab.countLabelled()).toBe(before);
});
