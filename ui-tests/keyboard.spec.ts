/** The labeller without a mouse: its keys, JupyterLab's commands and shortcuts for them. */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage, PARTICLES } from './labeller';
import { TestNotebook } from './notebook';

const CELL = 'lab = sl.Labeller(image, classes=["particle", "matrix"], name="keyboard", fresh=True); lab';

test('All keys are listed on ?, run from the palette, and are changed in JupyterLab’s settings', async ({
  page,
  tmpPath
}) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/keys.ipynb`, [PARTICLES.setup, CELL]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const tool = (name: string) => lab.root.getByTestId(`sambalab-tool-${name}`);

  // The list closes by Escape and by ?, and the focus returns to where it was.
  const help = lab.root.getByTestId('sambalab-help');
  const keys = lab.root.getByTestId('sambalab-keys');
  await keys.focus();
  await page.keyboard.press('Enter');
  await expect(help.getByText('Hold to see the image alone')).toBeVisible();
  await expect(help.locator('dl > div', { hasText: 'Make again' })).toContainText('Ctrl+Shift+Z');
  await page.keyboard.press('b');
  await page.keyboard.press('Escape');
  await expect(help).toHaveCount(0);
  await expect(keys).toBeFocused();
  await lab.press('?');
  await expect(help).toBeVisible();
  await page.keyboard.press('?');
  await expect(help).toHaveCount(0);
  await expect(lab.root).toBeFocused();
  await expect(tool('brush'), 'the labeller’s keys rest while the list is open').toHaveAttribute(
    'aria-pressed',
    'false'
  );

  // The palette acts on the labeller that was used last.
  await page.keyboard.press('Control+Shift+C');
  await page.keyboard.type('SambaLab: Polygon');
  await page.keyboard.press('Enter');
  await expect(tool('polygon')).toHaveAttribute('aria-pressed', 'true');

  // A key that the user sets in JupyterLab's settings replaces the labeller's own.
  await page.evaluate(async () => {
    const registry = (await window.galata.getPlugin('@jupyterlab/apputils-extension:settings')) as unknown as {
      set(plugin: string, key: string, value: unknown): Promise<void>;
    };
    const own = { command: 'sambalab:take-brush', keys: ['B'], selector: '.sambalab' };
    await registry.set('@jupyterlab/shortcuts-extension:shortcuts', 'shortcuts', [
      { ...own, disabled: true },
      { ...own, keys: ['J'] }
    ]);
  });
  await expect(async () => {
    await lab.press('e');
    await lab.press('b');
    await expect(tool('eraser')).toHaveAttribute('aria-pressed', 'true', { timeout: 1000 });
  }).toPass();
  await lab.press('j');
  await expect(tool('brush')).toHaveAttribute('aria-pressed', 'true');
  await lab.press('?');
  await expect(help.locator('dl > div', { hasText: /^J/ })).toContainText('Brush');
  await page.keyboard.press('Escape');
});
