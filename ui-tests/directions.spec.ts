/** A volume in other directions than xy: what is seen, painted and undone there is the same volume in Python. */
import { expect, test } from '@jupyterlab/galata';
import { GOLD, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

test('What is painted on a slice in xz is seen in Python, in xy and in yz, and undone from there', async ({
  page,
  tmpPath
}) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/volume.ipynb`, [
    GOLD.setup,
    `z, y, x = np.indices((60, 200, 300))
volume = ((3 * z + y + x // 2) % 251).astype(np.uint8)
lab = sl.Labeller(volume, classes=["hole", "ground"], name="volume", fresh=True); lab`,
    ''
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const first = await LabellerPage.in(page);
  const direction = (name: string) => first.root.getByTestId(`sambalab-direction-${name}`);
  await expect(direction('xy')).toHaveAttribute('aria-pressed', 'true');
  await direction('xz').click();
  await expect(direction('xz')).toHaveAttribute('aria-pressed', 'true');
  await expect(direction('xz')).toBeFocused();
  const lab = await LabellerPage.in(page); // waits for its tiles
  expect(await lab.size()).toEqual({ rows: 60, columns: 300 });
  for (const { row, column } of [
    { row: 10, column: 40 },
    { row: 41, column: 250 }
  ]) {
    expect((await lab.pixel(row, column))[0]).toBe((3 * row + 100 + Math.floor(column / 2)) % 251);
  }
  await expect(lab.root.getByTestId('sambalab-tool-suggest')).toHaveAttribute('aria-disabled', 'true');
  await lab.press('b');
  await lab.stroke([
    { row: 20, column: 100 },
    { row: 40, column: 160 }
  ]);
  await lab.saved();
  await lab.moveTo(30, 130);
  await expect(lab.root.getByTestId('sambalab-where')).toContainText('z 30, y 100, x 130');
  const python = async (code: string) => (await notebook.execute(2, code)).trim();
  const hash = (part: string) =>
    python(`import hashlib; print(hashlib.sha256(np.ascontiguousarray(lab.labels[${part}])).hexdigest())`);
  const across = await lab.hash('labels');
  expect(await hash(':, 100, :')).toBe(across);
  const state = JSON.parse(
    await python(
      'print(json.dumps([lab.direction, int(lab.labels.astype(bool).sum()), int(lab.labels[:, 100].astype(bool).sum()), len(lab.history), int(lab.provenance[30, 100, 130])]))'
    )
  ) as (string | number)[];
  expect(state[0]).toBe('xz');
  expect(state[1]).toBeGreaterThan(100);
  expect(state[2]).toBe(state[1]);
  expect(state.slice(3)).toEqual([1, 1]);

  // Python turns the volume; the key goes on to xy.
  await python('lab.direction = "yz"');
  await expect(direction('yz')).toHaveAttribute('aria-pressed', 'true');
  const turned = await LabellerPage.in(page);
  expect(await turned.size()).toEqual({ rows: 60, columns: 200 });
  await expect.poll(() => turned.hash('labels')).toBe(await hash(':, :, 150'));
  await turned.press('g');
  await expect(direction('xy')).toHaveAttribute('aria-pressed', 'true');
  const flat = await LabellerPage.in(page);
  await flat.root.evaluate(root => {
    for (let i = 0; i < 30; i++) {
      root.dispatchEvent(new KeyboardEvent('keydown', { key: 'PageDown', bubbles: true, cancelable: true }));
    }
  });
  await expect.poll(() => flat.hash('labels')).toBe(await hash('30'));
  expect(await flat.read('labels', 100, 130)).toBe(1);
  await flat.press('Control+z');
  await expect.poll(() => flat.read('labels', 100, 130)).toBe(0);
  expect(await python('print(lab.direction, int(lab.labels.sum()))')).toBe('xy 0');
  await direction('xz').click();
  await expect.poll(() => flat.read('labels', 30, 130)).toBe(0);
});
