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

  // Contrast: the pixels are 60 and 180.
  await lab.open('contrast-section');
  const grey = (level: number) => [level, level, level];
  await part('gamma').fill('30'); // 10^0.3 = 2.00
  await shows(150, 40, grey(Math.round(255 * (60 / 255) ** 2)), 'gamma 2');
  await part('inverse').check();
  await shows(150, 40, grey(255 - Math.round(255 * (60 / 255) ** 2)), 'gamma 2, inverted');
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
  expect(await notebook.execute(1, 'print(int(image[150, 40]), lab.segmentation.shape)')).toContain('60 (256, 256)');
});

test('A narrow range of a 16-bit image has all shades', async ({ page, tmpPath }) => {
  const cell = `
import numpy as np, sambalab as sl
image = np.linspace(0, 65535, 256 * 256).reshape(256, 256).astype(np.uint16)
image[100:140] = 30000 + np.arange(256)
lab = sl.Labeller(image, name="wide", fresh=True); lab`;
  const notebook = await TestNotebook.open(page, `${tmpPath}/wide.ipynb`, [cell]);
  await notebook.run(0);
  const lab = await LabellerPage.in(page);
  await lab.open('contrast-section');
  await lab.root.getByTestId('sambalab-contrast-high-value').fill('30255');
  await lab.root.getByTestId('sambalab-contrast-low-value').fill('30000');
  for (const column of [1, 76, 77, 78, 200, 254]) {
    await expect.poll(() => lab.pixel(120, column)).toEqual([column, column, column, 255]);
  }
});
