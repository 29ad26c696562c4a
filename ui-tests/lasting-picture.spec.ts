/** The picture of a labeller that a saved notebook keeps for readers without a kernel. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jupyterlab/galata';
import { GOLD, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';
import { serverFolder } from './servers';

// Galata's kernel watcher cannot read the reply to a restart, so it is off here.
test.use({ kernels: null, sessions: null });

const PNG = 'image/png';
const VIEW = 'application/vnd.jupyter.widget-view+json';

const onDisk = (path: string) => join(serverFolder(), path);

/** The outputs of the labeller's cell in the notebook on disk. */
function saved(path: string): { output_type: string; data: Record<string, string | string[]> }[] {
  return (JSON.parse(readFileSync(onDisk(path), 'utf8')) as { cells: { outputs: never[] }[] }).cells[1]!.outputs;
}

function pngOf(path: string): string {
  const data = saved(path).find(output => output.data?.[VIEW])?.data[PNG] ?? '';
  return Array.isArray(data) ? data.join('') : data;
}

/** Width, height and the number of pixels that have a colour. */
async function look(page: Parameters<typeof TestNotebook.open>[0], base64: string) {
  return page.evaluate(async data => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob());
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')!;
    context.drawImage(bitmap, 0, 0);
    const { data: pixels } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    let coloured = 0;
    for (let i = 0; i < pixels.length; i += 4) {
      coloured += Math.abs(pixels[i]! - pixels[i + 2]!) > 40 ? 1 : 0;
    }
    return { width: bitmap.width, height: bitmap.height, coloured };
  }, base64);
}

async function open(page: Parameters<typeof TestNotebook.open>[0], path: string, name: string) {
  const notebook = await TestNotebook.open(page, path, [
    GOLD.setup,
    `lab = sl.Labeller(image, classes=["object", "ground"], name="${name}", fresh=True); lab`,
    ''
  ]);
  await notebook.run(0);
  await notebook.run(1);
  return { notebook, lab: await LabellerPage.in(page) };
}

async function paint(lab: LabellerPage) {
  await lab.press('b');
  await lab.stroke([
    { row: 200, column: 300 },
    { row: 400, column: 600 }
  ]);
}

test('A saved notebook has the strokes in its picture, for nbconvert and for a reader without a kernel', async ({
  page,
  tmpPath
}) => {
  const path = `${tmpPath}/picture.ipynb`;
  const { notebook, lab } = await open(page, path, 'picture');
  await notebook.save();
  const first = await look(page, pngOf(path));
  expect(first.coloured).toBe(0);
  expect(Math.max(first.width, first.height)).toBeLessThanOrEqual(600);

  await paint(lab);
  await lab.root.evaluate(root => root.setAttribute('data-before', 'saving'));
  await notebook.save();
  const second = await look(page, pngOf(path));
  expect(second.coloured).toBeGreaterThan(500);
  expect(pngOf(path).length * 0.75).toBeLessThanOrEqual(100_000);
  // The widget was not rendered again, and saving again changes nothing.
  await expect(lab.root).toBeVisible();
  expect(await page.getByTestId('sambalab').count()).toBe(1);
  await expect(lab.root).toHaveAttribute('data-before', 'saving');
  expect(await lab.read('labels', 200, 300)).toBe(1);
  const text = readFileSync(onDisk(path), 'utf8');
  await notebook.save();
  expect(readFileSync(onDisk(path), 'utf8')).toBe(text);
  const dirty = () =>
    page.evaluate(
      () =>
        (window as unknown as { jupyterapp: { shell: { currentWidget: { context: { model: { dirty: boolean } } } } } })
          .jupyterapp.shell.currentWidget.context.model.dirty
    );
  expect(await dirty()).toBe(false);

  execFileSync('python', ['-m', 'nbconvert', '--to', 'html', '--log-level', 'ERROR', onDisk(path)]);
  expect(readFileSync(onDisk(path.replace('.ipynb', '.html')), 'utf8')).toContain(pngOf(path).slice(0, 2000));

  // A new kernel does not know the widget.
  await notebook.restartKernel();
  await notebook.reload();
  const image = page.getByTestId('sambalab-picture').locator('img');
  await expect(image).toBeVisible({ timeout: 60_000 });
  expect(await image.evaluate((node: HTMLImageElement) => node.naturalWidth)).toBe(second.width);
  expect(await page.getByTestId('sambalab').count()).toBe(0);
  await expect(page.getByText('model not found')).toBeHidden();

  // Saving keeps it, and running the cell brings the labeller back.
  const again = await TestNotebook.current(page);
  await again.save();
  expect((await look(page, pngOf(path))).coloured).toBe(second.coloured);
  await again.run(0);
  await again.run(1);
  await LabellerPage.in(page);
  await expect(image).toBeHidden();
});

test('A notebook of a user who wants no pictures has none', async ({ page, tmpPath }) => {
  const path = `${tmpPath}/none.ipynb`;
  const { notebook } = await open(page, path, 'no picture');
  await page.evaluate(async () => {
    const registry = (await window.galata.getPlugin('@jupyterlab/apputils-extension:settings')) as unknown as {
      set(plugin: string, key: string, value: unknown): Promise<void>;
    };
    await registry.set('sambalab:widget', 'picture', false);
  });
  await expect
    .poll(async () => {
      await notebook.save();
      return saved(path).some(output => PNG in output.data);
    })
    .toBe(false);
});
