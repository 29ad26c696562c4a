/**
 * The whole way: a cell shows an image, SAM suggests under the mouse, strokes become labels, a forest segments, and the next cell has the
 * arrays. `labelling.spec.ts` runs these tests on the shipped micrograph, `labelling.data.spec.ts` on one of `../shared/data`.
 */
import { expect, test } from '@jupyterlab/galata';
import { IPixel, ITestImage, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

/** Python that prints the intersection over union of a class of the labels and the true object around a pixel. */
export function overlapWithParticle({ row, column }: IPixel, classId = 1): string {
  return `
from scipy import ndimage
particles, _ = ndimage.label(truth == 1)
particle = particles == particles[${row}, ${column}]
drawn = lab.labels == ${classId}
print((particle & drawn).sum() / (particle | drawn).sum())`;
}

/** Define the tests of labelling on an image. */
export function testLabelling(image: ITestImage): void {
  const { object, ground, elsewhere, objects } = image;

  test.describe(`A labeller in a cell, on ${image.name}`, () => {
    test('labels, trains and hands the arrays to the next cell', async ({ page, tmpPath }) => {
      const notebook = await TestNotebook.open(page, `${tmpPath}/labelling.ipynb`, [
        image.setup,
        'lab = sl.Labeller(image, classes=["object", "ground"]); lab',
        ''
      ]);
      await notebook.run(0);
      await notebook.run(1);
      const lab = await LabellerPage.in(page);
      await lab.samReady();

      // The suggestion appears on the object under the mouse.
      const bare = await lab.pixel(object.row, object.column);
      await lab.moveTo(object.row, object.column);
      const first = await lab.suggestionAt(object.row, object.column);
      expect(first.covers(object.row, object.column)).toBe(true);
      ground.forEach(({ row, column }) => expect(first.covers(row, column)).toBe(false));
      await expect.poll(() => lab.pixel(object.row, object.column), 'the suggestion is drawn').not.toEqual(bare);

      // A right click changes its scale; after three the first is back.
      const scales = [first];
      for (let i = 0; i < 3; i++) {
        await lab.rightClick();
        scales.push(await lab.suggestion(scales[i]!.scale));
      }
      expect(new Set(scales.slice(0, 3).map(({ scale }) => scale)).size).toBe(3);
      expect(scales[1]!.pixels).not.toEqual(first.pixels);
      expect(scales[3]!.scale).toBe(first.scale);
      expect(scales[3]!.pixels).toEqual(first.pixels);

      // The toolbar shows the scale that is kept now; Auto shows the first one again.
      await expect(lab.root.getByTestId('sambalab-suggestion-scale').locator('[aria-pressed=true]')).toHaveText(
        ['S', 'M', 'L'][first.scale]!
      );
      await lab.press('Alt+a');
      await expect(lab.root.getByTestId('sambalab-suggestion-scale-auto')).toHaveAttribute('aria-pressed', 'true');
      await expect(lab.root.getByTestId('sambalab-scale')).toHaveText(/^Suggestion: .* \(Auto\)$/);

      // A click accepts it.
      await lab.click();
      await lab.saved();
      expect(
        await notebook.execute(2, 'print(lab.labels.dtype, lab.labels.shape == image.shape, (lab.labels == 1).sum())')
      ).toContain(`uint8 True ${first.count}`);
      if (image.hasTruth) {
        const overlap = await notebook.execute(2, overlapWithParticle(object));
        expect(Number(overlap)).toBeGreaterThan(0.7);
      }

      // Paint the second class with the brush.
      await lab.press('2');
      await lab.press('b');
      for (const stroke of ground) {
        await lab.stroke([stroke, { row: stroke.row + 8, column: stroke.column + 14 }]);
      }
      await lab.saved();
      const here = ground.map(({ row, column }) => `lab.labels[${row}, ${column}]`).join(', ');
      expect(await notebook.execute(2, `print([int(v) for v in (${here},)])`)).toContain(
        JSON.stringify(ground.map(() => 2)).replaceAll(',', ', ')
      );

      // Older labels stay when new ones overlap them.
      await lab.stroke([object, { row: object.row + 3, column: object.column + 3 }]);
      await lab.saved();
      expect(await notebook.execute(2, `print(lab.labels[${object.row}, ${object.column}])`)).toContain('1');

      // Train: the overlay changes.
      await page.mouse.move(5, 5);
      const before = await lab.pixel(elsewhere.row, elsewhere.column);
      await lab.train();
      await expect.poll(() => lab.pixel(elsewhere.row, elsewhere.column), 'the overlay is drawn').not.toEqual(before);

      // The next cell has everything, pixel by pixel.
      const shown = await lab.read('segmentation', elsewhere.row, elsewhere.column);
      const checks = await notebook.execute(
        2,
        `
seg, probabilities = lab.segmentation, lab.probabilities
labelled = lab.labels > 0
prediction = probabilities.argmax(-1) + 1
checks = {
    "shapes": seg.shape == image.shape and probabilities.shape == (*image.shape, 2),
    "types": str(seg.dtype) == "uint8" and str(probabilities.dtype) == "float32",
    "labels on top": bool((seg[labelled] == lab.labels[labelled]).all()),
    "the rest is the likeliest class": bool((seg[~labelled] == prediction[~labelled]).all()),
    "probabilities sum to one": bool(np.allclose(probabilities.sum(-1), 1, atol=1e-4)),
    "uncertainty": lab.uncertainty.shape == image.shape and bool(((lab.uncertainty >= 0) & (lab.uncertainty <= 1)).all()),
    "features": lab.features.shape == (*image.shape, len(lab.feature_names)),
    "out-of-bag score": 0.5 < lab.classifier.oob_score <= 1,
    "what the widget shows": int(seg[${elsewhere.row}, ${elsewhere.column}]) == ${shown},
    "read-only": not (lab.labels.flags.writeable or seg.flags.writeable or probabilities.flags.writeable),
}
print([name for name, right in checks.items() if not right])`
      );
      expect(checks.trim()).toBe('[]');

      // A label drawn against the prediction lies on top of the segmentation; erased, it shows the prediction again.
      await lab.press('1');
      await lab.press('b');
      const there = { row: ground[0].row + 30, column: ground[0].column };
      const predicted = await lab.read('segmentation', there.row, there.column);
      expect(predicted).toBe(2);
      await lab.stroke([there, { row: there.row + 2, column: there.column + 2 }]);
      await lab.saved();
      await expect.poll(() => lab.read('segmentation', there.row, there.column)).toBe(1);
      await lab.press('e');
      await lab.stroke([there, { row: there.row + 2, column: there.column + 2 }]);
      await lab.saved();
      await expect.poll(() => lab.read('segmentation', there.row, there.column)).toBe(predicted);
      expect(await lab.error()).toBeNull();
    });

    test('takes every click, however quickly the mouse goes on', async ({ page, tmpPath }) => {
      const notebook = await TestNotebook.open(page, `${tmpPath}/clicks.ipynb`, [
        image.setup,
        'lab = sl.Labeller(image, classes=["object", "ground"], name="clicks", fresh=True); lab',
        ''
      ]);
      await notebook.run(0);
      await notebook.run(1);
      const lab = await LabellerPage.in(page);
      await lab.samReady();
      for (const { row, column } of objects) {
        await lab.moveTo(row, column);
        await lab.click();
        await lab.moveTo(row + 3, column + 4);
      }
      for (const { row, column } of objects) {
        await expect.poll(() => lab.read('labels', row, column)).toBe(1);
      }
      await lab.saved();
      const values = objects.map(({ row, column }) => `lab.labels[${row}, ${column}]`).join(', ');
      expect(await notebook.execute(2, `print(*(${values}))`)).toContain('1 1 1 1');
    });

    test('suggests in the browser what lab.suggest suggests in Python', async ({ page, tmpPath }) => {
      const notebook = await TestNotebook.open(page, `${tmpPath}/parity.ipynb`, [
        image.setup,
        'lab = sl.Labeller(image, classes=["object", "ground"], name="parity"); lab',
        ''
      ]);
      await notebook.run(0);
      await notebook.run(1);
      const lab = await LabellerPage.in(page);
      await lab.samReady();
      await lab.press('Alt+m'); // Auto shows none where all cover more than a third of the image
      await lab.open('suggestion-section');
      await lab.root.getByLabel('Follow edges').uncheck(); // Python gives the masks as SAM has them
      const { rows, columns } = await lab.size();
      const shown: [number, number, number, string][] = [];
      for (let i = 0; i < 10; i++) {
        const row = Math.round(rows * (0.08 + 0.84 * ((i * 0.37) % 1)));
        const column = Math.round(columns * (0.08 + 0.84 * ((i * 0.61 + 0.2) % 1)));
        await lab.moveTo(row, column);
        const { pixels, scale } = await lab.suggestionAt(row, column);
        shown.push([row, column, scale, lab.packed(pixels)]);
      }
      const overlaps = await notebook.execute(
        2,
        `
import base64, zlib
def overlap(row, column, scale, packed):
    browser = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8))[:image.size].reshape(image.shape) > 0
    python = lab.suggest(row, column)[0][scale]
    return (browser & python).sum() / max(1, (browser | python).sum())
print(*(overlap(*each) for each in ${JSON.stringify(shown)}))`
      );
      const worst = Math.min(...overlaps.trim().split(' ').map(Number));
      console.log(`worst IoU of ten suggestions, browser against Python: ${worst}`);
      expect(worst).toBeGreaterThanOrEqual(0.99);
    });
  });
}
