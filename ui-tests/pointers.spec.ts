/** Fingers, pens and eraser ends on the image, read as labels from Python. */
import { expect, test } from '@jupyterlab/galata';
import { GOLD, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';
import { Pointers } from './pointers';

const COUNT = 'print(np.count_nonzero(lab.labels))';

async function open(page: Parameters<typeof TestNotebook.open>[0], path: string) {
  const notebook = await TestNotebook.open(page, path, [
    GOLD.setup,
    'lab = sl.Labeller(image, classes=["object", "ground"], name="pointers", fresh=True); lab',
    COUNT
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  await lab.press('b');
  const pointers = await Pointers.on(page);
  const labelled = async () => {
    await lab.saved();
    return Number(await notebook.run(2));
  };
  return { notebook, lab, pointers, labelled };
}

const MIDDLE = { row: 300, column: 420 };
const PATH = [200, 230, 260, 290].map(column => ({ row: 240, column }));

test('Two fingers zoom and paint nothing; one finger draws', async ({ page, tmpPath }) => {
  const { lab, pointers, labelled } = await open(page, `${tmpPath}/fingers.ipynb`);
  const before = await lab.scale();
  const middle = await lab.at(MIDDLE);
  // Relative to the widget: running the cell that counts labels may scroll the notebook.
  const inWidget = async () => {
    const [at, box] = [await lab.at(MIDDLE), (await lab.root.boundingBox())!];
    return { x: at.x - box.x, y: at.y - box.y };
  };
  const start = await inWidget();
  await pointers.pinch(middle, 80, 240);
  expect(await labelled()).toBe(0);
  expect(await lab.countLabelled()).toBe(0);
  expect((await lab.scale()) / before).toBeGreaterThan(2.5);
  const after = await inWidget();
  expect(Math.hypot(after.x - start.x, after.y - start.y)).toBeLessThan(40);

  await pointers.pinch(await lab.at(MIDDLE), 240, 80);
  expect(await labelled()).toBe(0);
  await lab.press('0');
  await pointers.finger(await Promise.all(PATH.map(pixel => lab.at(pixel))));
  expect(await labelled()).toBeGreaterThan(1000);
  expect(await lab.read('labels', 240, 245)).toBe(1);
});

test('A pinch takes no suggestion; a lifted finger takes the one below it', async ({ page, tmpPath }) => {
  const { lab, pointers, labelled } = await open(page, `${tmpPath}/suggest.ipynb`);
  await lab.samReady();
  await lab.press('s');
  const { row, column } = GOLD.object;
  // Where the first finger begins and ends, as screen pixels from the middle.
  const scale = await lab.scale();
  const places = [-30, -100].map(x => column + Math.round(x / scale));
  await pointers.pinch(await lab.at({ row, column }), 60, 200);
  expect(await labelled()).toBe(0);
  await lab.press('0');
  await pointers.finger([await lab.at({ row, column })]);
  await expect.poll(() => lab.read('labels', row, column)).toBe(1);
  expect(await labelled()).toBeGreaterThan(100);
  // Suggestions are taken in turn: one that the pinch had taken would be there by now.
  for (const place of places) {
    expect(await lab.read('labels', row, place)).toBe(0);
  }
});

test('A palm beside a pen paints nothing, whichever comes first', async ({ page, tmpPath }) => {
  const { lab, pointers, labelled } = await open(page, `${tmpPath}/palm.ipynb`);
  const palm = await lab.at({ row: 500, column: 600 });
  const path = await Promise.all(PATH.map(pixel => lab.at(pixel)));
  // The hand comes first, then its pen draws, and the hand slides along.
  await pointers.fingers('touchStart', [palm]);
  await pointers.fingers('touchMove', [{ x: palm.x + 4, y: palm.y }]);
  await pointers.penNear(path[0]!);
  await pointers.penDown(path[0]!);
  for (const place of path.slice(1)) {
    await pointers.penTo(place);
    await pointers.fingers('touchMove', [{ x: palm.x + 8, y: palm.y + 4 }]);
  }
  await pointers.penUp(path[3]!);
  await pointers.fingers('touchEnd', []);
  // The pen is near; the hand comes down again.
  await pointers.penNear(path[3]!);
  await pointers.finger([palm, { x: palm.x + 9, y: palm.y }]);
  const drawn = await labelled();
  expect(drawn).toBeGreaterThan(1000);
  expect(await lab.read('labels', 240, 245)).toBe(1);
  expect(await lab.countLabelled()).toBe(drawn);
  expect(await lab.read('labels', 500, 600)).toBe(0);
  expect(await lab.read('labels', 500, 608)).toBe(0);
});

test("A pen's eraser end erases, whatever tool is chosen, and the tool stays", async ({ page, tmpPath }) => {
  const { lab, pointers, labelled } = await open(page, `${tmpPath}/eraser.ipynb`);
  const stroke = async () => {
    const path = await Promise.all(PATH.map(pixel => lab.at(pixel)));
    await pointers.penDown(path[0]!);
    for (const place of path.slice(1)) {
      await pointers.penTo(place);
    }
    await pointers.penUp(path[3]!);
  };
  await stroke();
  expect(await labelled()).toBeGreaterThan(1000);
  await pointers.turnPen(page);
  await stroke();
  expect(await labelled()).toBe(0);
  expect(await lab.root.getByTestId('sambalab-tool-brush').getAttribute('aria-pressed')).toBe('true');
});

const STYLES = ['transform: scale(1.5); transform-origin: 0 0', 'zoom: 1.5', 'transform: scale(0.6)'];

test(`Under “${STYLES.join('”, “')}” a stroke lands below the pointer`, async ({ page, tmpPath }) => {
  const { notebook } = await open(page, `${tmpPath}/scale.ipynb`);
  for (const css of STYLES) {
    await notebook.run(1); // without labels, in an output without the last style
    const lab = await LabellerPage.in(page);
    await lab.press('b');
    await lab.root.evaluate((root, style) => {
      root.closest<HTMLElement>('.jp-OutputArea-output')!.style.cssText += `; ${style}`;
    }, css);
    const box = (await lab.root.locator('canvas').first().boundingBox())!;
    // By the box alone: the whole image is in view, in the middle of the canvas.
    const { rows, columns } = await lab.size();
    const scale = Math.min(box.width / columns, box.height / rows);
    const at = (row: number, column: number): [number, number] => [
      box.x + box.width / 2 + (column + 0.5 - columns / 2) * scale,
      box.y + box.height / 2 + (row + 0.5 - rows / 2) * scale
    ];
    await page.mouse.move(...at(110, 240));
    await page.mouse.down();
    await page.mouse.move(...at(110, 300), { steps: 4 });
    await page.mouse.up();
    await lab.saved();
    const bounds = 'r, c = np.nonzero(lab.labels); print(r.min(), r.max(), c.min(), c.max(), len(r))';
    const found = (await notebook.execute(2, bounds)).trim().split(' ').map(Number);
    [102, 117, 232, 307].forEach((edge, i) => expect(Math.abs(found[i]! - edge), css).toBeLessThan(4));
    expect(found[4], css).toBeGreaterThan(500);
    // Drawn for the screen's pixels, not enlarged.
    const ratio = await lab.root
      .locator('canvas')
      .first()
      .evaluate((node: HTMLCanvasElement) => {
        return node.width / node.getBoundingClientRect().width;
      });
    expect(ratio, css).toBeCloseTo(1, 1);
  }
});
