/**
 * Random strokes, corrections of the segmentation, changes of classes, undo and redo in the page and in Python, with kills of the sidecar and a
 * reload in between: page, sidecar and Python have the same labels and the same corrected segmentation, bit by bit. SAMBALAB_OPERATIONS says how many; 200 if it is not set.
 */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

const OPERATIONS = Number(process.env['SAMBALAB_OPERATIONS'] ?? 200);
const COMPARISONS = Math.min(50, Math.ceil(OPERATIONS / 20));
const SETUP = `
import hashlib, os, signal
import numpy as np
import sambalab as sl
image, _ = sl.data.micrograph("particles", (300, 400), seed=1)
random = np.random.default_rng(7)`;
const CELL = 'lab = sl.Labeller(image, classes=["a", "b", "c"], name="random", fresh=True); lab';
/** Another text than a digest if a label has no provenance, or nothing has one. */
const HASH = `
consistent = ((lab.labels > 0) == (lab.provenance > 0)).all()
shown = np.where(lab.correction > 0, lab.correction, np.where(lab.labels > 0, lab.labels, lab.segmentation))
def digest(array):
    return hashlib.sha256(array.astype(np.uint8).tobytes()).hexdigest()
print(digest(lab.labels) if consistent else "none", digest(shown), np.count_nonzero(lab.correction))`;
/** A segmentation to correct. */
const TRAIN = `
first = np.zeros(image.shape, np.uint8)
first[100:110, 100:150], first[200:210, 100:150], first[250:254, 50:100] = 1, 2, 3
lab.set_labels(first)
lab.train(features="samba", preset="samba", trees=5)
print("trained")`;
const KILL = `
from sambalab.sidecar_client import sidecar
running = sidecar._find()
if running:  # none while it starts again
    os.kill(running.pid, signal.SIGKILL)`;
/** Changes from Python: labels as a whole, corrections, classes, undo and redo. */
const PYTHON = [
  'lab.remove_islands(30)',
  'lab.majority_filter(1)',
  'lab.use_correction(slice(50, 150))',
  'lab.clear_correction(slice(100, 250), slice(0, 200))',
  `
try:
    lab.merge_classes("c", into="b")
except sl.SambaLabError:  # it was merged before
    lab.undo()`,
  // The page may take a class back meanwhile; then nothing changes.
  `
try:
    lab.set_labels(np.where(random.random(image.shape) < 0.02, random.integers(1, 1 + len(lab.classes), image.shape), lab.labels))
except sl.SambaLabError as error:
    assert "class" in str(error)`,
  'lab.undo()',
  'lab.undo(2)',
  `
try:
    lab.redo()
except sl.LabelError:
    pass`
];

let seed = 5;
const random = (n: number) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
};

test(`After ${OPERATIONS} random changes with undo and redo, page and Python have the same labels`, async ({
  page,
  tmpPath
}) => {
  test.setTimeout(120_000 + OPERATIONS * 1500);
  const notebook = await TestNotebook.open(page, `${tmpPath}/random.ipynb`, [SETUP, CELL, '']);
  await notebook.run(0);
  await notebook.run(1);
  let lab = await LabellerPage.in(page);
  await notebook.execute(2, TRAIN);
  await lab.press('b');
  /** The most pixels of the correction at a comparison. */
  let corrected = 0;
  const compare = async () => {
    await lab.saved();
    const equal = async () => {
      const [labels, segmentation, corrections, ...more] = (await notebook.execute(2, HASH)).trim().split(/\s+/);
      const same = labels === (await lab.hash('labels')) && segmentation === (await lab.hash('segmentation'));
      expect(more.join(' ')).not.toContain('DamageWarning');
      if (same) {
        corrected = Math.max(corrected, Number(corrections));
      }
      return same;
    };
    await expect.poll(equal).toBe(true);
  };
  const pixel = () => ({ row: 10 + random(280), column: 10 + random(380) });
  const every = Math.floor(OPERATIONS / COMPARISONS);
  for (let i = 1; i <= OPERATIONS; i++) {
    const kind = random(40);
    if (kind < 20) {
      await lab.strokes([[pixel(), pixel()]]);
    } else if (kind < 24) {
      await lab.press(['1', '2', '3', 'b', 'e', 'b', '[', ']', 'q'][random(9)]!);
    } else if (kind < 31) {
      await lab.press('Control+z');
    } else if (kind < 37) {
      await lab.press('Control+Shift+z');
    } else if (kind === 37) {
      await lab.saved();
      await notebook.execute(2, PYTHON[random(PYTHON.length)]!);
    } else if (kind === 38 && i > OPERATIONS / 3) {
      await lab.strokes([[pixel(), pixel()]]);
      await lab.press('Control+z');
      await notebook.execute(2, KILL);
    }
    if (i % every === 0) {
      await compare();
    }
    if (i === Math.floor(OPERATIONS / 2)) {
      await compare();
      await page.notebook.save();
      await notebook.reload();
      await notebook.execute(1, CELL.replace(', fresh=True', ''));
      lab = await LabellerPage.in(page);
      await lab.press('b');
    }
  }
  await compare();
  await notebook.execute(2, KILL);
  await compare();
  expect(corrected).toBeGreaterThan(100);
});
