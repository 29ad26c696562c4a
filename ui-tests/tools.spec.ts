/** Each tool of the canvas in the real page: what Python has is compared, pixel by pixel, with what the pointer drew. */
import { expect, IJupyterLabPageFixture, test } from '@jupyterlab/galata';
import type { IDebugHandle } from '../src/widget/frame/debug';
import { IPixel, LabellerPage, PARTICLES } from './labeller';
import { TestNotebook } from './notebook';
import { Pointers } from './pointers';

interface IPlace {
  x: number;
  y: number;
}

const CELL = 'lab = sl.Labeller(image, classes=["particle", "matrix"], name="tools", fresh=True); lab';

/** Python that has, as `inside(points)`, the pixels whose centres are inside a contour by the even-odd rule. */
const INSIDE = `
def inside(points):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    odd = np.zeros(image.shape, bool)
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1]):
        if ay > by:
            ax, ay, bx, by = bx, by, ax, ay
        odd ^= (ay <= y) & (y < by) & ((x - ax) * (by - ay) >= (y - ay) * (bx - ax))
    return odd
def capsule(points, radius):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    (ax, ay), (bx, by) = points
    dx, dy = bx - ax, by - ay
    t = np.clip(((x - ax) * dx + (y - ay) * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
    return np.hypot(x - ax - t * dx, y - ay - t * dy) <= radius
`;

async function open(page: IJupyterLabPageFixture, path: string) {
  const notebook = await TestNotebook.open(page, path, [PARTICLES.setup + INSIDE, CELL, '']);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  // The places of the pointer in image coordinates, as the page sees them.
  await lab.root.evaluate(root => {
    const { sambalab: handle } = root as HTMLElement & { sambalab: IDebugHandle };
    const kept = {
      pointerdown: [] as IPlace[],
      pointermove: [] as IPlace[],
      pointerup: [] as IPlace[],
      all: [] as IPlace[]
    };
    Object.assign(root, { places: kept });
    for (const type of ['pointerdown', 'pointermove', 'pointerup'] as const) {
      window.addEventListener(
        type,
        event => {
          const parts = type === 'pointermove' ? event.getCoalescedEvents() : [];
          for (const { clientX, clientY } of parts.length > 0 ? parts : [event]) {
            const place = handle.placeAt(clientX, clientY);
            kept[type].push(place);
            if (event.buttons > 0 || type === 'pointerup') {
              kept.all.push(place);
            }
          }
        },
        true
      );
    }
  });
  /** What was recorded since the last call, as Python. */
  const places = async (type: 'pointerdown' | 'pointerup' | 'all') => {
    const list = await lab.root.evaluate((root, key) => {
      const kept = (root as unknown as { places: Record<string, IPlace[]> }).places;
      const found = kept[key]!;
      Object.keys(kept).forEach(each => (kept[each] = kept[each]!.filter(() => false)));
      return found;
    }, type);
    return list;
  };
  const python = async (source: string) => (await notebook.execute(2, source)).trim();
  return { notebook, lab, places, python };
}

const asPython = (list: IPlace[]) => `[${list.map(({ x, y }) => `(${x}, ${y})`).join(', ')}]`;

const click = async (page: IJupyterLabPageFixture, lab: LabellerPage, pixel: IPixel) => {
  await lab.moveTo(pixel.row, pixel.column);
  await page.mouse.down();
  await page.mouse.up();
};

const CORNERS = [
  { row: 60, column: 70 },
  { row: 90, column: 300 },
  { row: 260, column: 240 },
  { row: 150, column: 180 },
  { row: 280, column: 60 }
];

test('A polygon is closed in four ways, goes back by Backspace, is dropped by Escape, and is one step', async ({
  page,
  tmpPath
}) => {
  const { lab, places, python } = await open(page, `${tmpPath}/polygon.ipynb`);
  await lab.press('p');
  const draw = async (corners = CORNERS) => {
    await places('all');
    for (const corner of corners) {
      await click(page, lab, corner);
    }
  };
  const isExactly = async (contour: IPlace[]) => {
    await lab.saved();
    expect(
      await python(`
want = inside(${asPython(contour)})
done = [(step.tool, step.provenance) for step in lab.history if step.done]
print(want.sum() > 10000, np.array_equal(lab.labels, want), done == [("polygon", "hand")])`)
    ).toBe('True True True');
    const shown = await lab.countLabelled();
    expect(await python('print(np.count_nonzero(lab.labels))')).toBe(String(shown));
    await lab.press('Control+z');
    await expect.poll(() => lab.countLabelled()).toBe(0);
    await expect.poll(() => python('print(np.count_nonzero(lab.labels))')).toBe('0');
  };
  const within = { row: 130, column: 220 };
  const bare = await lab.pixel(within.row, within.column);

  await draw();
  expect(await lab.countLabelled()).toBe(0);
  await page.keyboard.press('Enter');
  await page.mouse.move(5, 5);
  await expect.poll(() => lab.pixel(within.row, within.column), 'the area is drawn').not.toEqual(bare);
  expect(await lab.read('labels', 130, 220)).toBe(1);
  await isExactly(await places('pointerup'));

  // A vertex more, taken back; then a right click elsewhere closes.
  await draw();
  const five = await places('pointerup');
  await click(page, lab, { row: 400, column: 400 });
  await page.keyboard.press('Backspace');
  await lab.moveTo(420, 300);
  await lab.rightClick();
  await isExactly(five);

  // A click on the start closes.
  await draw();
  const again = await places('pointerup');
  await click(page, lab, { row: CORNERS[0]!.row + 1, column: CORNERS[0]!.column + 1 });
  await isExactly(again);

  // A double click sets the last vertex and closes.
  await draw(CORNERS.slice(0, 4));
  const { x, y } = await lab.at(CORNERS[4]!);
  await page.mouse.dblclick(x, y);
  const double = await places('pointerup');
  await isExactly(double.slice(0, 5));

  // Escape drops it: the Enter after it fills nothing.
  await draw();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await lab.saved();
  expect(await lab.countLabelled()).toBe(0);
  expect(await lab.error()).toBeNull();
});

test('A lasso fills what it went around, keeps older labels, and two fingers drop it', async ({ page, tmpPath }) => {
  const { lab, places, python } = await open(page, `${tmpPath}/lasso.ipynb`);
  await lab.press('a');
  const around = (row: number, column: number, radius: number) =>
    Array.from({ length: 14 }, (_, i) => ({
      row: Math.round(row + radius * Math.sin(i / 2)),
      column: Math.round(column + radius * Math.cos(i / 2))
    }));
  await places('all');
  const bare = await lab.pixel(200, 200);
  await lab.stroke(around(200, 200, 90));
  const first = await places('all');
  await lab.saved();
  await page.mouse.move(5, 5);
  await expect.poll(() => lab.pixel(200, 200), 'the area is drawn').not.toEqual(bare);
  expect(
    await python(`first = inside(${asPython(first)}); print(first.sum() > 10000, np.array_equal(lab.labels, first))`)
  ).toBe('True True');

  // The second class leaves the first as it is.
  await lab.press('2');
  await places('all');
  await lab.stroke(around(240, 290, 80));
  const second = await places('all');
  await lab.saved();
  expect(
    await python(`
second = inside(${asPython(second)})
want = np.where(first, 1, np.where(second, 2, 0))
print((first & second).any(), np.array_equal(lab.labels, want))`)
  ).toBe('True True');
  const labelled = await lab.countLabelled();

  // The first of two fingers draws a lasso that the second one drops.
  const pointers = await Pointers.on(page);
  await pointers.pinch(await lab.at({ row: 400, column: 400 }), 60, 160);
  await lab.saved();
  expect(await lab.countLabelled()).toBe(labelled);
  await lab.press('0');
  await places('all');
  await pointers.finger(await Promise.all(around(420, 100, 50).map(pixel => lab.at(pixel))));
  const third = await places('all');
  await lab.saved();
  expect(
    await python(`print(np.array_equal(lab.labels, np.where((want == 0) & inside(${asPython(third)}), 2, want)))`)
  ).toBe('True');
  expect(await lab.countLabelled()).toBeGreaterThan(labelled);
});

test('Shift draws and erases a straight line from the end of the last stroke', async ({ page, tmpPath }) => {
  const { lab, places, python } = await open(page, `${tmpPath}/line.ipynb`);
  await lab.press('b');
  const [from, to] = [
    { row: 100, column: 80 },
    { row: 300, column: 330 }
  ];
  for (const [tool, want] of [
    ['b', 'line'],
    ['e', 'line & False']
  ]) {
    await lab.press(tool!);
    await places('all');
    await click(page, lab, from);
    await page.keyboard.down('Shift');
    await click(page, lab, to);
    await page.keyboard.up('Shift');
    const ends = await places('pointerdown');
    await lab.saved();
    expect(
      await python(`
line = capsule(${asPython(ends)}, 7.5)
print(line.sum() > 4000, np.array_equal(lab.labels, ${want}))`)
    ).toBe('True True');
    expect(await lab.read('labels', 200, 205)).toBe(tool === 'b' ? 1 : 0);
  }
});

test('The hand moves the image; the picker takes the class of a label and returns to the tool before', async ({
  page,
  tmpPath
}) => {
  const { lab, python } = await open(page, `${tmpPath}/hand.ipynb`);
  await lab.press('2');
  await lab.press('b');
  await lab.stroke([
    { row: 100, column: 100 },
    { row: 100, column: 160 }
  ]);
  await lab.saved();
  const before = await python('print(np.count_nonzero(lab.labels))');
  await lab.press('1');
  const state = () =>
    lab.root.evaluate(
      root => (root as unknown as { sambalab: { state: { tool: string; classId: number } } }).sambalab.state
    );

  // The picker finds nothing on bare ground and stays; on a label it takes the class.
  await lab.press('i');
  await click(page, lab, { row: 400, column: 400 });
  expect(await state()).toMatchObject({ tool: 'pick', classId: 1 });
  await expect(lab.root.getByText('There is no label and no segmentation at this place')).toBeVisible();
  await click(page, lab, { row: 100, column: 130 });
  await expect.poll(state).toMatchObject({ tool: 'brush', classId: 2 });

  // Zoomed in, the hand moves the image under the pointer, and draws nothing.
  await lab.press('m');
  for (let i = 0; i < 3; i++) {
    await page.keyboard.press('+');
  }
  const held = { row: 260, column: 250 };
  const start = await lab.at(held);
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move(start.x + 60, start.y - 40, { steps: 4 });
  await page.mouse.up();
  const end = await lab.at(held);
  expect(Math.hypot(end.x - start.x - 60, end.y - start.y + 40)).toBeLessThan(1.5);
  await lab.saved();
  expect(await python('print(np.count_nonzero(lab.labels))')).toBe(before);
});
