/** Classes in the real page: locked, hidden, moved, merged and removed; the array in Python is compared pixel by pixel. */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage, PARTICLES } from './labeller';
import { TestNotebook } from './notebook';

const CELL = `
before = np.zeros(image.shape, np.uint8)
before[:, 200:260] = 1
before[:, 260:300] = 2
lab = sl.Labeller(image, classes=["a", "b", "c"], name="classes", fresh=True)
lab.set_labels(before)
lab`;

test('Locked classes keep their labels, hidden ones are not drawn, and a class is moved, merged and removed', async ({
  page,
  tmpPath
}) => {
  const { setup, object } = PARTICLES;
  const notebook = await TestNotebook.open(page, `${tmpPath}/classes.ipynb`, [setup, CELL, '']);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const part = (name: string) => lab.root.getByTestId(`sambalab-${name}`);
  const status = part('status');
  /** How many pixels of Python's labels differ from an expression. */
  const differ = async (expected: string) =>
    Number((await notebook.execute(2, `print((lab.labels != (${expected})).sum())`)).trim());
  const names = async () => (await notebook.execute(2, 'print(*lab.classes)')).trim();
  const draw = async (columns: number[]) => {
    await lab.stroke(columns.map(column => ({ row: 100, column })));
    await lab.saved();
  };
  const undo = async () => {
    await lab.press('Control+z');
    await expect.poll(() => differ('before')).toBe(0);
  };
  const path = [180, 310];

  // A lock holds brush and eraser, whatever the switch says.
  await lab.press('b');
  await lab.press('3');
  await part('overlap-over').click();
  await draw(path);
  await notebook.execute(2, 'stroke = lab.labels == 3');
  expect(await differ('np.where(stroke, 3, before)')).toBe(0);
  await undo();
  await part('class-2').hover();
  await part('class-lock-2').click();
  await draw(path);
  expect(await differ('np.where(stroke & (before != 2), 3, before)')).toBe(0);
  await undo();
  await lab.press('e');
  await draw(path);
  expect(await differ('np.where(stroke & (before != 2), 0, before)')).toBe(0);
  await undo();
  await lab.press('b');
  await lab.press('2');
  await draw(path);
  await expect(status).toContainText('b is locked');
  expect(await differ('before')).toBe(0);

  // SAM's click obeys the same switch and lock.
  await lab.samReady();
  await lab.press('s');
  await lab.press('3');
  const click = async () => {
    await lab.moveTo(object.row + 3, object.column);
    await lab.moveTo(object.row, object.column);
    const { count, pixels } = await lab.suggestionAt(object.row, object.column);
    await lab.click();
    await lab.saved();
    await lab.moveTo(20, 20);
    const bits = lab.packed(pixels);
    await notebook.execute(
      2,
      `import base64, zlib\nmask = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode("${bits}")), np.uint8))[:image.size].reshape(image.shape) > 0`
    );
    return count;
  };
  expect(await click()).toBeGreaterThan(100);
  expect(await notebook.execute(2, 'print(np.unique(before[mask]))')).toContain('[0 2]');
  expect(await differ('np.where(mask & (before != 2), 3, before)')).toBe(0);
  await undo();
  await part('class-lock-2').click();
  await click();
  expect(await differ('np.where(mask, 3, before)')).toBe(0);
  await undo();
  await part('overlap-keep').click();
  await click();
  expect(await differ('np.where(mask & (before == 0), 3, before)')).toBe(0);
  await undo();

  // Hidden labels are not drawn and stay; drawing the class shows it again.
  await lab.press('b');
  const drawn = await lab.pixel(400, 280);
  await part('class-2').hover();
  await part('class-hide-2').click();
  await expect.poll(() => lab.pixel(400, 280)).not.toEqual(drawn);
  expect(await differ('before')).toBe(0);
  await lab.press('2');
  await draw([340, 350]);
  await expect.poll(() => lab.pixel(400, 280)).toEqual(drawn);
  await undo();

  // The number keys follow the order; ids stay.
  await part('class-3').hover();
  await part('class-more-3').click();
  await part('class-up-3').click();
  await part('class-up-3').click();
  await expect.poll(names).toBe('c a b');
  await lab.press('1');
  await draw([340, 350]);
  expect(await notebook.execute(2, 'print(np.unique(lab.labels[before == 0]), lab.class_ids["c"])')).toContain(
    '[0 3] 3'
  );
  await undo();
  await lab.press('Control+z');
  await lab.press('Control+z');
  await expect.poll(names).toBe('a b c');

  await part('class-2').hover();
  await part('class-more-2').click();
  await part('class-merge-2').selectOption({ label: 'a' });
  await part('class-merge-now-2').click();
  await expect.poll(names).toBe('a c');
  expect(await differ('np.minimum(before, 1)')).toBe(0);
  await expect(status).toContainText('b is now part of a');
  await undo();
  expect(await names()).toBe('a b c');
  await part('class-more-1').click();
  await part('class-remove-1').click();
  await expect.poll(names).toBe('b c');
  expect(await differ('np.where(before == 1, 0, before)')).toBe(0);
  await undo();
});

test('A class is dragged to another place, and sets of classes go from Python to the page and back', async ({
  page,
  tmpPath
}) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/sets.ipynb`, [PARTICLES.setup, CELL, '']);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const part = (name: string) => lab.root.getByTestId(`sambalab-${name}`);
  const python = (code: string) => notebook.execute(2, code);
  const names = async () => (await python('print(*lab.classes)')).trim();

  const [from, to] = [(await part('class-1').boundingBox())!, (await part('class-3').boundingBox())!];
  await page.mouse.move(from.x + 40, from.y + 12);
  await page.mouse.down();
  await page.mouse.move(to.x + 40, to.y + to.height - 4, { steps: 4 });
  await page.mouse.up();
  await expect.poll(names).toBe('b c a');
  await lab.press('Control+z');
  await expect.poll(names).toBe('a b c');
  await notebook.execute(
    2,
    'sl.Labeller(image[:64], classes={"x": "#102030", "y": "#405060"}, name="of").save_classes("xy")'
  );
  await part('class-sets-toggle').click();
  await part('class-set').selectOption('xy');
  await part('class-set-use').click();
  await expect.poll(names).toBe('x y');
  expect((await python('print((lab.labels != before).sum())')).trim()).toBe('0');
  await part('class-set-name').fill('mine');
  await part('class-set-save').click();
  await expect(part('class-sets-note')).toHaveText('Saved as “mine”.');
  expect(await python('print(sl.class_sets()["mine"])')).toContain("{'x': '#102030', 'y': '#405060'}");
  await lab.press('Control+z');
  await expect.poll(names).toBe('a b c');
});
