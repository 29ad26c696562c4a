/** Scores in the panel, uncertainty over the image, and suggestions of regions to label next. */
import { expect, test } from '@jupyterlab/galata';
import { GOLD, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

test.use({ autoGoto: true });

interface IRegion {
  slice: number;
  row0: number;
  row1: number;
  column0: number;
  column1: number;
  reason: string;
  score: number;
}

interface IHandle {
  state: { guide: { state: string; region?: IRegion }; uncertainty: { state: string }; scale: number };
  uncertaintyAt(row: number, column: number): number;
  labelAt(row: number, column: number): number;
  clientToImage(x: number, y: number): { row: number; column: number };
}

type Handled = HTMLElement & { sambalab: IHandle };

async function open(page: Parameters<typeof TestNotebook.open>[0], path: string, name: string) {
  const notebook = await TestNotebook.open(page, path, [
    GOLD.setup,
    `lab = sl.Labeller(image, classes=["object", "ground"], name="${name}", fresh=True, pixel_size=(2.5, "nm")); lab`,
    ''
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  const part = (testid: string) => lab.root.getByTestId(`sambalab-${testid}`);
  const guide = () => lab.root.evaluate(root => (root as Handled).sambalab.state.guide);
  /** Press N, wait until another region is marked, and return it. */
  const next = async (press = () => lab.press('n')): Promise<IRegion> => {
    const before = JSON.stringify((await guide()).region ?? null);
    await press();
    await expect
      .poll(async () => JSON.stringify((await guide()).region ?? null), { timeout: 90_000 })
      .not.toMatch(new RegExp(`^(null|${before.replace(/[{}[\].]/g, '\\$&')})$`));
    return (await guide()).region!;
  };
  return { notebook, lab, part, next };
}

test('N leads to representative or unusual regions before a training, and to uncertain ones after it', async ({
  page,
  tmpPath
}) => {
  const { notebook, lab, part, next } = await open(page, `${tmpPath}/regions.ipynb`, 'regions');
  await lab.samReady();
  const first = await next();
  expect(first.reason).toMatch(/representative|unusual/);
  await expect(part('status')).toContainText('Where next');
  const inView = async ({ row0, row1, column0, column1 }: IRegion) => {
    const box = (await part('canvas').boundingBox())!;
    const from = await lab.at({ row: row0, column: column0 });
    const to = await lab.at({ row: row1, column: column1 });
    expect(from.x >= box.x && from.y >= box.y && to.x <= box.x + box.width && to.y <= box.y + box.height).toBe(true);
    expect(to.x - from.x).toBeGreaterThan(60); // large enough to draw in
  };
  await inView(first);
  const second = await next(() => part('next-region').click());
  expect(second.reason).not.toBe(first.reason);
  await inView(second);
  await lab.press('Escape');
  await expect(part('status')).not.toContainText('Where next');

  await lab.press('0');
  await lab.press('1');
  await lab.label(GOLD);
  await lab.train();
  const unsure = await next();
  expect(unsure.reason).toBe('uncertain');
  await inView(unsure);
  const { slice, row0, row1, column0, column1 } = unsure;
  const checked = await notebook.execute(
    2,
    `part = np.s_[${row0}:${row1}, ${column0}:${column1}]
print(int((lab.labels[part] > 0).sum()), float(lab.uncertainty[part].mean()), float(lab.uncertainty.mean()))`
  );
  const [labelled, mean, overall] = checked.trim().split(' ').map(Number);
  expect([slice, labelled]).toEqual([0, 0]);
  expect(mean).toBeCloseTo(unsure.score, 2);
  expect(mean).toBeGreaterThan(overall! * 1.5);

  // A region with a label is not suggested again, neither by N nor by JupyterLab's command.
  await lab.press('b');
  const row = Math.round((row0 + row1) / 2);
  const column = Math.round((column0 + column1) / 2);
  await lab.stroke([
    { row, column: column - 4 },
    { row, column: column + 4 }
  ]);
  await lab.saved();
  const away = ({ row0: r0, row1: r1, column0: c0, column1: c1 }: IRegion) =>
    !(row >= r0 && row < r1 && column >= c0 && column < c1);
  expect(away(await next())).toBe(true);
  const other = await next(() =>
    page.evaluate(() =>
      (
        window as unknown as { jupyterapp: { commands: { execute(id: string): Promise<void> } } }
      ).jupyterapp.commands.execute('sambalab:go-to-next-region')
    )
  );
  expect(away(other)).toBe(true);
  expect(await lab.error()).toBeNull();
});

test('Uncertainty and scores in the widget agree with those in Python', async ({ page, tmpPath }) => {
  const { notebook, lab, part } = await open(page, `${tmpPath}/telling.ipynb`, 'telling');
  await lab.open('scores');
  await expect(part('scores-empty')).toContainText('Label pixels of two classes');
  await lab.open('uncertainty-section');
  await part('uncertainty').click();
  await expect(part('uncertainty-note')).toContainText('There is no classifier yet');
  await lab.label(GOLD);
  await page.mouse.move(5, 5);
  await lab.train();

  const at = GOLD.elsewhere;
  const shown = () =>
    lab.root.evaluate((root, [r, c]) => (root as Handled).sambalab.uncertaintyAt(r!, c!), [at.row, at.column]);
  await expect.poll(shown, { timeout: 60_000 }).toBeGreaterThanOrEqual(0);
  const value = async (expression: string) => Number((await notebook.execute(2, `print(${expression})`)).trim());
  const margin = await value(`float(lab.uncertainty[${at.row}, ${at.column}])`);
  expect(Math.abs((await shown()) / 255 - margin)).toBeLessThan(0.01);
  const lit = await lab.pixel(at.row, at.column);
  await part('uncertainty-measure').selectOption('maximum');
  const most = await value(`float(1 - lab.probabilities[${at.row}, ${at.column}].max())`);
  await expect.poll(async () => Math.abs((await shown()) / 255 - most)).toBeLessThan(0.01);
  await part('uncertainty').click();
  await expect.poll(() => lab.pixel(at.row, at.column)).not.toEqual(lit);

  const cells = async (table: string) =>
    part(table)
      .locator('tbody tr')
      .evaluateAll(lines => lines.map(line => [...line.children].map(cell => cell.textContent ?? '')));
  const python = async (expression: string) =>
    JSON.parse(await notebook.execute(2, `print(json.dumps(${expression}))`)) as number[];
  const scores = await cells('scores-classes');
  expect(scores.map(([name]) => name)).toEqual(['object', 'ground']);
  const recall = await python('lab.classifier.scores.recall.tolist()');
  scores.forEach(([, share], i) => expect(Math.abs(Number(share) - 100 * recall[i]!)).toBeLessThan(0.11));
  const confusion = await cells('confusion');
  confusion.forEach(([, ...row]) =>
    expect(row.reduce((sum, cell) => sum + (parseFloat(cell) || 0), 0)).toBeCloseTo(100, -1)
  );
  const fractions = await python('[float((lab.segmentation == k).mean()) for k in (1, 2)]');
  const phases = await cells('phases');
  phases.forEach(([, share], i) => expect(Math.abs(Number(share) - 100 * fractions[i]!)).toBeLessThan(0.11));
  expect(Number(phases[0]![3]!.replace(/,/g, ''))).toBeGreaterThan(0);
  const intervals = await python('lab.report().intervals.ravel().tolist()');
  await expect
    .poll(async () => (await cells('phases')).flatMap(([, , interval]) => interval!.split('–').map(Number)))
    .toEqual(intervals.map(end => expect.closeTo(Math.min(100 * end, 99.9), 0.5)));
  await expect(part('important').locator('li')).toHaveCount(5);

  // The panel follows a training from Python.
  const before = await part('scores-overall').textContent();
  await notebook.execute(2, 'lab.train(preset="samba", trees=3, max_depth=1)');
  await expect(part('scores-overall')).not.toHaveText(before!);
  await expect(part('training-what')).toContainText('3 trees');
  expect(await lab.error()).toBeNull();
});
