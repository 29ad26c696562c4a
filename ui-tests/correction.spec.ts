/** Correcting the segmentation in the widget: what is drawn is in Python's arrays, the labels stay, and undo takes it back. */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

/** A flat image whose right half is brighter, trained from two stripes of labels. */
const CELL = `
import numpy as np, sambalab as sl
image = np.full((256, 256), 60, np.uint8)
image[:, 128:] = 180
labels = np.zeros(image.shape, np.uint8)
labels[20:40, 20:100] = 1
labels[20:40, 150:230] = 2
lab = sl.Labeller(image, classes={"dark": "#ff0000", "bright": "#0000ff"}, name="correction", fresh=True)
lab.set_labels(labels)
lab.train(features="samba", preset="samba", trees=10)
lab`;

test.use({ autoGoto: true });

test('The brush corrects the segmentation exactly, apart from the labels, and one undo takes it back', async ({
  page,
  tmpPath
}) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/correction.ipynb`, [CELL, '']);
  await notebook.run(0);
  const lab = await LabellerPage.in(page);
  const part = (testid: string) => lab.root.getByTestId(`sambalab-${testid}`);
  const python = (code: string) => notebook.execute(1, code);
  await lab.open('correction');
  await part('draw-on-correction').click();
  await expect(part('draw-on-correction')).toHaveAttribute('aria-pressed', 'true');

  // Class 2 over the half of class 1.
  await lab.press('2');
  await lab.press('b');
  const path = [40, 60, 80].map(column => ({ row: 150, column }));
  await lab.stroke(path);
  await lab.saved();
  expect(await lab.read('segmentation', 150, 60)).toBe(2);
  expect(await lab.read('labels', 150, 60)).toBe(0);
  expect(
    await python(`
drawn = lab.correction.copy()
print(np.unique(drawn[drawn > 0]), drawn[150, 40:81].all(), np.array_equal(lab.labels, labels),
      np.array_equal(lab.corrected, np.where(drawn > 0, drawn, lab.segmentation)), lab.segmentation[150, 60])`)
  ).toContain('[2] True True True 1');

  // The same stroke as a label has the same pixels.
  await expect(part('overlap')).toBeHidden();
  await part('end-correction').click();
  await expect(part('draw-on-labels')).toHaveAttribute('aria-pressed', 'true');
  await lab.stroke(path);
  await lab.saved();
  expect(await python('print(np.array_equal(lab.labels, np.where(drawn > 0, drawn, labels)))')).toContain('True');

  // Undo takes back the label, then the correction.
  await lab.press('Control+z');
  await lab.saved();
  await expect
    .poll(() => python('print(np.array_equal(lab.labels, labels), np.array_equal(lab.correction, drawn))'))
    .toContain('True True');
  await lab.press('Control+z');
  await expect.poll(() => python('print(lab.correction.any())')).toContain('False');
  await expect.poll(() => lab.read('segmentation', 150, 60)).toBe(1);
  await lab.press('Control+Shift+z');
  await expect.poll(() => lab.read('segmentation', 150, 60)).toBe(2);

  // An island goes by a button; a correction of Python shows at once; the correction becomes labels.
  await part('correction-below').fill('2000');
  await part('remove-islands').click();
  await expect.poll(() => lab.read('segmentation', 150, 60)).toBe(1);
  await lab.press('Control+z');
  await expect.poll(() => lab.read('segmentation', 150, 60)).toBe(2);
  await part('use-correction').click();
  await expect.poll(() => lab.read('labels', 150, 60)).toBe(2);
  expect(await python('print(np.array_equal(lab.labels, np.where(drawn > 0, drawn, labels)))')).toContain('True');
  await python('lab.undo()');

  // Of what is in view only a part is used as labels; the key Q ends the correction and begins it.
  await part('correction-part').selectOption('view');
  await lab.press('+');
  await part('use-correction').click();
  await expect.poll(() => lab.read('labels', 150, 60)).toBe(2);
  expect(
    await python(
      'got = lab.labels != labels; print((got & (drawn > 0)).sum() == got.sum(), got.sum() < (drawn > 0).sum())'
    )
  ).toContain('True True');
  await lab.open('history');
  await expect(part('history-list')).toContainText('Brush on the segmentation');
  await lab.press('q');
  await expect(part('draw-on-correction')).toHaveAttribute('aria-pressed', 'true');
  await lab.press('q');
  await expect(part('draw-on-labels')).toHaveAttribute('aria-pressed', 'true');
  await python('lab.undo(); lab.clear_correction(); lab.undo(2)');
  await expect.poll(() => lab.read('labels', 150, 60)).toBe(0);
});
