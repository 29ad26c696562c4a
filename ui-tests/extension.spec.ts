/** What the extension adds to JupyterLab: a command that inserts a ready cell, and settings. */
import { expect, test } from '@jupyterlab/galata';
import { GOLD, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

test('The command inserts a cell that shows a labeller when it is run', async ({ page, tmpPath }) => {
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(error.message));
  const notebook = await TestNotebook.open(page, `${tmpPath}/command.ipynb`, ['1 + 1']);
  await page.keyboard.press('Control+Shift+C');
  await page.keyboard.type('Label an Image');
  await page
    .getByRole('option', { name: /SambaLab: Label an Image/ })
    .or(page.getByText('SambaLab: Label an Image'))
    .first()
    .click();
  await expect.poll(() => notebook.cellCount()).toBe(2);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  expect(await lab.size()).toEqual({ rows: 512, columns: 512 });
  expect(errors).toEqual([]);
});

test('A changed setting reaches the labellers that are open', async ({ page, tmpPath }) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/settings.ipynb`, [
    GOLD.setup,
    'lab = sl.Labeller(image, classes=["object", "ground"], name="settings", fresh=True); lab'
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const size = () => lab.root.getByTestId('sambalab-brush-size').inputValue();
  const before = await size();
  await page.evaluate(async () => {
    const registry = (await window.galata.getPlugin('@jupyterlab/apputils-extension:settings')) as unknown as {
      set(plugin: string, key: string, value: unknown): Promise<void>;
    };
    await registry.set('sambalab:widget', 'brushSize', 40);
  });
  await expect.poll(size).not.toBe(before);
});
