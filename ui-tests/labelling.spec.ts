/** Labelling on the shipped micrograph, and where a suggestion lies on a synthetic one whose truth is exact. */
import { expect, test } from '@jupyterlab/galata';
import { GOLD, LabellerPage, PARTICLES } from './labeller';
import { overlapWithParticle, testLabelling } from './labelling';
import { TestNotebook } from './notebook';

testLabelling(GOLD);

test('An accepted suggestion covers the particle under the mouse', async ({ page, tmpPath }) => {
  const { object, setup } = PARTICLES;
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
});
