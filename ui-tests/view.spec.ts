/** What the view shows: overlays, contrast and their colours, probed on the screen pixel by pixel. */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

/** A flat image whose left half is darker; labels of two classes in stripes. */
const CELL = `
import numpy as np, sambalab as sl
image = np.full((256, 256), 60, np.uint8)
image[:, 128:] = 180
labels = np.zeros(image.shape, np.uint8)
labels[40:60, 20:100] = 1
labels[40:60, 150:230] = 2
lab = sl.Labeller(image, classes={"dark": "#ff0000", "bright": "#0000ff"}, name="view", fresh=True)
lab.set_labels(labels)
lab`;

test.use({ autoGoto: true });

test('Overlays, contrast and the pixel under the pointer are shown as they are set', async ({ page, tmpPath }) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/view.ipynb`, [CELL, '']);
  await notebook.run(0);
  const lab = await LabellerPage.in(page);
  const part = (testid: string) => lab.root.getByTestId(`sambalab-${testid}`);
  /** Expect the colour of a pixel on the screen, ± 1 for rounding. */
  const shows = async (row: number, column: number, rgb: number[], what: string) =>
    expect
      .poll(
        async () => {
          const pixel = await lab.pixel(row, column);
          return rgb.every((value, i) => Math.abs(value - pixel[i]!) <= 1) ? rgb : pixel.slice(0, 3);
        },
        { message: what }
      )
      .toEqual(rgb);
  /** A colour over another, with an opacity. */
  const over = (top: number[], below: number[], opacity: number) =>
    below.map((value, i) => Math.round(top[i]! * opacity + value * (1 - opacity)));
  const [DARK, BRIGHT] = [
    [60, 60, 60],
    [180, 180, 180]
  ];
  const [RED, BLUE] = [
    [255, 0, 0],
    [0, 0, 255]
  ];

  await shows(150, 60, DARK, 'the image');
  await shows(50, 60, over(RED, DARK, 0.65), 'a label');
  await notebook.execute(1, 'lab.train(features="samba", preset="samba", trees=10); print("trained")');
  await shows(150, 60, over(RED, DARK, 0.4), 'the segmentation');

  // V shows labels, segmentation, both.
  await lab.press('v');
  await shows(150, 60, DARK, 'labels alone');
  await lab.press('v');
  await shows(50, 60, over(RED, DARK, 0.4), 'segmentation alone');
  await lab.press('v');
  await shows(50, 60, over(RED, over(RED, DARK, 0.4), 0.65), 'both');

  // Outlines leave the inside free.
  await part('segmentation-outline').click();
  await part('label-outline').click();
  await shows(50, 60, DARK, 'inside of an outlined label');
  await shows(40, 60, over(RED, DARK, 1 - 0.35 ** 2), 'the border of an outlined label');
  await part('segmentation-outline').click();
  await part('label-outline').click();

  // The probability of a class.
  await part('segmentation-opacity').fill('0');
  await lab.open('probability-section');
  await part('probability-class').selectOption({ label: 'bright' });
  await part('probability').click();
  await shows(150, 200, over(BLUE, BRIGHT, 0.75), 'certainly bright');
  await shows(150, 40, DARK, 'certainly not bright');
  await part('probability').click();

  // What a stroke draws again is as if all were drawn, also where pixels of the screen are parts of the image's or of the map's.
  await part('segmentation-opacity').fill('40');
  const drawn = () =>
    lab.root.evaluate(async root => {
      await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const { width, height } = root.querySelector('canvas')!;
      const data = root.querySelector('canvas')!.getContext('2d')!.getImageData(0, 0, width, height).data;
      const digest = await crypto.subtle.digest('SHA-1', data);
      return Array.from(new Uint8Array(digest)).join();
    });
  await lab.press('b');
  for (const [column, zooms] of [
    [60, 0],
    [120, 3],
    [140, 1]
  ] as const) {
    for (let i = 0; i < zooms; i++) {
      await page.keyboard.press('+');
    }
    const before = await drawn();
    await lab.strokes([
      [
        { row: 120, column },
        { row: 131.3, column: column + 5.7 },
        { row: 128, column: column - 3 }
      ]
    ]);
    await lab.moveTo(140, 128);
    const stroke = await drawn();
    expect(stroke).not.toBe(before);
    await page.keyboard.down('h');
    await drawn();
    await page.keyboard.up('h');
    expect(await drawn()).toBe(stroke);
  }
  await lab.press('0');

  // The same after thirty quick strokes and erasures, with all pictures drawn anew: hiding a class and showing it again does that.
  for (const [i, key] of ['b', 'e', 'b', 'e', 'b'].entries()) {
    await lab.press(key);
    await lab.strokes(
      [0, 1, 2, 3, 4, 5].map(j => {
        const [row, column] = [90 + 7 * ((5 * i + 3 * j) % 9), 100 + 11 * ((2 * i + j) % 8)];
        return [
          { row, column },
          { row: row + 9 - 3 * j, column: column + 14 }
        ];
      })
    );
  }
  await lab.moveTo(60, 40);
  await lab.saved();
  const still = async () => {
    let last = '';
    await expect
      .poll(async () => {
        const before = last;
        last = await drawn();
        return last === before;
      })
      .toBe(true);
    return last;
  };
  const burst = await still();
  await part('class-hide-1').click();
  await expect.poll(drawn).not.toBe(burst);
  await part('class-hide-1').click();
  await expect.poll(drawn).toBe(burst);
  await part('segmentation-opacity').fill('0');

  // The segmentation before the last training, by a key and along a line.
  await part('segmentation-opacity').fill('40');
  await notebook.execute(1, 'lab.set_labels(np.where(labels == 0, 0, 3 - labels)); lab.train(); print("trained")');
  await shows(150, 200, over(RED, BRIGHT, 0.4), 'the new segmentation');
  await lab.root.focus();
  await page.keyboard.down('x');
  await shows(150, 200, over(BLUE, BRIGHT, 0.4), 'the segmentation before');
  await page.keyboard.up('x');
  await shows(150, 200, over(RED, BRIGHT, 0.4), 'the new segmentation again');
  await lab.press('c');
  await shows(150, 40, over(RED, DARK, 0.4), 'before, on the left');
  await shows(150, 200, over(RED, BRIGHT, 0.4), 'now, on the right');
  const line = (await part('divider').boundingBox())!;
  await page.mouse.move(line.x + line.width / 2, line.y + 30);
  await page.mouse.down();
  await page.mouse.move((await lab.at({ row: 150, column: 250 })).x, line.y + 30, { steps: 3 });
  await page.mouse.up();
  await shows(150, 200, over(BLUE, BRIGHT, 0.4), 'before, left of the line that was dragged');
  await lab.press('c');
  await expect(part('divider')).toBeHidden();
  await notebook.execute(1, 'lab.set_labels(labels); lab.train(); print("trained")');
  await shows(150, 200, over(BLUE, BRIGHT, 0.4), 'the first segmentation again');
  await part('segmentation-opacity').fill('0');

  // The pixel under the pointer.
  await part('probability').click();
  await lab.moveTo(50, 200);
  await expect(part('where')).toHaveText('row 50, column 200 · value 180 · label bright · segmented bright (100 %)');
  await part('probability').click();

  // Contrast: the pixels are 60 and 180.
  await lab.open('contrast-section');
  const grey = (level: number) => [level, level, level];
  await part('gamma').fill('30'); // 10^0.3 = 2.00
  await shows(150, 40, grey(Math.round(255 * (60 / 255) ** 2)), 'gamma 2');
  await part('inverse').check();
  await shows(150, 40, grey(255 - Math.round(255 * (60 / 255) ** 2)), 'gamma 2, inverted');
  // SAM sees the same, and Python sets it as well.
  const contrast = () => notebook.execute(1, 'print(lab.contrast)');
  await expect.poll(contrast).toContain("'gamma': 2, 'inverse': True");
  await lab.samReady();
  await notebook.execute(1, 'lab.contrast = {"inverse": True}; print("set")');
  await shows(150, 40, grey(255 - 60), 'inverted by Python');
  await part('contrast-reset').click();
  await part('contrast-low-value').fill('40');
  await part('contrast-high-value').fill('140');
  await shows(150, 40, grey(Math.round((255 * 20) / 100)), 'a range by hand');
  await part('contrast-low').focus();
  await page.keyboard.press('ArrowRight');
  await shows(150, 40, grey(Math.round((255 * 19) / 99)), 'a handle moved by a key');
  await part('contrast-cut').selectOption('0');
  await shows(150, 40, grey(0), 'all values: the darkest is black');
  await shows(150, 200, grey(255), 'all values: the brightest is white');
  await part('contrast-auto').click();
  await shows(150, 40, DARK, 'the automatic range');
  await expect.poll(contrast).toContain('None');
  expect(await notebook.execute(1, 'print(int(image[150, 40]), lab.segmentation.shape)')).toContain('60 (256, 256)');
});

test('A narrow range of a 16-bit image has all shades; a flat image has a low stage, a map, a scale bar, a whole window', async ({
  page,
  tmpPath
}) => {
  const cell = `
import numpy as np, sambalab as sl
image = np.linspace(0, 65535, 256 * 256).reshape(256, 256).astype(np.uint16)
image[100:140] = 30000 + np.arange(256)
lab = sl.Labeller(image, name="wide", fresh=True); lab`;
  const notebook = await TestNotebook.open(page, `${tmpPath}/wide.ipynb`, [
    cell,
    'flat = sl.Labeller(np.tile(image[:100], (1, 8))[:, :2000], name="flat", fresh=True, pixel_size=(50, "nm")); flat',
    ''
  ]);
  await notebook.run(0);
  const lab = await LabellerPage.in(page);
  await lab.open('contrast-section');
  await lab.root.getByTestId('sambalab-contrast-high-value').fill('30255');
  await lab.root.getByTestId('sambalab-contrast-low-value').fill('30000');
  for (const column of [1, 76, 77, 78, 200, 254]) {
    await expect.poll(() => lab.pixel(120, column)).toEqual([column, column, column, 255]);
  }
  // The tiles have it too roughly: the value is asked for.
  await lab.moveTo(200, 17);
  const [value] = (await notebook.execute(2, 'print(int(image[200, 17]))')).trim().split(/\s/);
  await expect(lab.root.getByTestId('sambalab-where')).toHaveText(`row 200, column 17 · value ${value}`);

  // A wide, flat image has a low stage, with the panel below.
  await notebook.run(1);
  const flat = await LabellerPage.in(page);
  const part = (testid: string) => flat.root.getByTestId(`sambalab-${testid}`);
  const boxOf = async (testid: string) => (await part(testid).boundingBox())!;
  const stage = await boxOf('canvas');
  expect(stage.height).toBe(120);
  expect((await boxOf('label-opacity')).y).toBeGreaterThan(stage.y + stage.height);
  await expect(part('minimap')).toBeHidden();

  // Zoomed in there is a map, and the scale bar follows.
  const bar = part('scale-bar');
  const before = await bar.innerText();
  await expect(bar).toHaveText(/^[125]0* µm$/);
  await flat.root.focus();
  for (let i = 0; i < 6; i++) {
    await page.keyboard.press('+');
  }
  await expect(bar).not.toHaveText(before);
  await expect(part('minimap')).toBeVisible();
  const map = await boxOf('minimap');
  await page.mouse.click(map.x + map.width * 0.9, map.y + map.height / 2);
  await expect
    .poll(async () => {
      const [x, y] = [stage.x + stage.width / 2, stage.y + stage.height / 2];
      return flat.columnAt(x, y);
    })
    .toBeGreaterThan(2000 * 0.85);
  await flat.press('o');
  await expect(part('minimap')).toBeHidden();

  // Over the whole window, and back.
  await flat.press('w');
  const { width, height } = page.viewportSize()!;
  await expect.poll(() => flat.root.boundingBox()).toEqual({ x: 0, y: 0, width, height });
  await expect.poll(async () => (await boxOf('canvas')).height).toBeGreaterThan(height / 2);
  await flat.press('Escape');
  await expect.poll(async () => (await boxOf('canvas')).height).toBe(120);
});
