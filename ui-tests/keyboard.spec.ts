/** The labeller without a mouse: its keys, JupyterLab's commands and shortcuts for them. */
import { expect, test } from '@jupyterlab/galata';
import { violations } from './axe';
import { IPixel, LabellerPage, PARTICLES } from './labeller';
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
      { ...own, keys: ['Z'] }
    ]);
  });
  await expect(async () => {
    await lab.press('e');
    await lab.press('b');
    await expect(tool('eraser')).toHaveAttribute('aria-pressed', 'true', { timeout: 1000 });
  }).toPass();
  await lab.press('z');
  await expect(tool('brush')).toHaveAttribute('aria-pressed', 'true');
  await lab.press('?');
  await expect(help.locator('dl > div', { hasText: /^Z/ })).toContainText('Brush');
  await page.keyboard.press('Escape');
});

test('The way from a cell to a segmentation goes by keys alone, and axe finds nothing wrong in light and dark', async ({
  page,
  tmpPath
}) => {
  const setup = `${PARTICLES.setup}\n${CELL.replace('"keyboard"', '"by keys"')}`;
  const notebook = await TestNotebook.open(page, `${tmpPath}/by-keys.ipynb`, [setup, '']);
  const { keyboard } = page;
  const theme = (name: string) =>
    page.evaluate(
      theme =>
        (
          window as unknown as { jupyterapp: { commands: { execute(id: string, args: object): Promise<void> } } }
        ).jupyterapp.commands.execute('apputils:change-theme', { theme }),
      name
    );

  // Run the cell, and go into its output by Tab.
  await keyboard.press('Escape');
  await keyboard.press('Control+Enter');
  const lab = await LabellerPage.in(page);
  const isFocused = () => lab.root.evaluate(node => node === document.activeElement);
  for (let i = 0; i < 20 && !(await isFocused()); i++) {
    await keyboard.press('Tab');
  }
  expect(await isFocused(), 'Tab leads into the labeller').toBe(true);

  const spoken = lab.root.getByTestId('sambalab-spoken');
  const where = lab.root.getByTestId('sambalab-where');
  const place = async () => {
    const numbers = /row ([\d,]+), column ([\d,]+)/.exec((await where.textContent()) ?? '')!;
    return { row: Number(numbers[1]), column: Number(numbers[2]) };
  };
  /** Move the cross-hair near a pixel. */
  const go = async (to: IPixel) => {
    const step = Math.max(1, Math.round(5 / (await lab.scale())));
    const at = await place();
    for (const [distance, more, less] of [
      [to.row - at.row, 'ArrowDown', 'ArrowUp'],
      [to.column - at.column, 'ArrowRight', 'ArrowLeft']
    ] as const) {
      const key = distance > 0 ? more : less;
      const steps = Math.round(Math.abs(distance) / step);
      for (let i = 0; i < Math.floor(steps / 8); i++) {
        await keyboard.press(`Shift+${key}`);
      }
      for (let i = 0; i < steps % 8; i++) {
        await keyboard.press(key);
      }
    }
    return place();
  };

  // The brush paints the ground.
  await keyboard.press('2');
  await keyboard.press('b');
  await keyboard.press('k');
  await expect(spoken).toHaveText(/^The cross-hair is on: .* row \d+, column \d+: no label$/);
  const from = await go(PARTICLES.ground[2]!);
  await keyboard.down('Space');
  const to = await go({ row: from.row, column: from.column + 24 });
  await keyboard.up('Space');
  await expect(spoken).toHaveText(`Brush, class matrix, at row ${to.row}, column ${to.column}`);
  await lab.saved();
  expect(await lab.read('labels', from.row, from.column)).toBe(2);
  expect(await lab.read('labels', to.row, to.column)).toBe(2);

  // SAM finds the object.
  await lab.samReady();
  await keyboard.press('1');
  await keyboard.press('s');
  const object = await go(PARTICLES.object);
  await lab.suggestionAt(object.row, object.column);
  await keyboard.press('Space');
  await expect.poll(() => lab.read('labels', object.row, object.column)).toBe(1);

  // A polygon fills another piece of the ground.
  await keyboard.press('2');
  await keyboard.press('p');
  const { row, column } = await go(PARTICLES.ground[3]!);
  for (const corner of [
    { row, column },
    { row, column: column + 24 },
    { row: row + 16, column }
  ]) {
    await go(corner);
    await keyboard.press('Space');
  }
  await keyboard.press('Enter');
  await expect.poll(() => lab.read('labels', row + 2, column + 3)).toBe(2);

  await keyboard.press('t');
  await expect.poll(() => lab.read('segmentation', 20, 20), { timeout: 60_000 }).not.toBe(0);
  const agreement = await notebook.execute(1, 'print((lab.segmentation == truth).mean() > 0.9)');
  expect(agreement.trim()).toBe('True');

  // Every section open, the list of keys open, in both themes.
  await lab.root.evaluate(root => root.querySelectorAll('details').forEach(each => (each.open = true)));
  await lab.root.focus();
  expect(await violations(page, lab.root)).toEqual([]);
  await theme('JupyterLab Dark');
  expect(await violations(page, lab.root)).toEqual([]);
  await keyboard.press('?');
  const help = lab.root.getByTestId('sambalab-help');
  expect(await violations(page, help, ['button-name'])).toEqual([]);
  await theme('JupyterLab Light');
  expect(await violations(page, help, ['button-name'])).toEqual([]);
  await keyboard.press('Escape');
  await expect(lab.root).toBeFocused();
});
