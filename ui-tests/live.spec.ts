/** Labelling while a cell runs: the comm opens, strokes are acknowledged, suggestions appear, and a training finishes. */
import { expect, test } from '@jupyterlab/galata';
import { OLD_KERNEL } from './kernels';
import { GOLD, LabellerPage } from './labeller';
import { TestNotebook, textOf } from './notebook';

const BUSY = {
  sleeps: 'time.sleep(90)',
  'runs a Python loop': 'end = time.time() + 90\nwhile time.time() < end: pass'
};

for (const [name, busy] of Object.entries(BUSY)) {
  test(`While a cell ${name}, the widget opens, paints, suggests and trains`, async ({ page, tmpPath }) => {
    const notebook = await TestNotebook.open(page, `${tmpPath}/live.ipynb`, [
      GOLD.setup,
      `
import time
lab = sl.Labeller(image, classes=["object", "ground"], name="live: ${name}", fresh=True)
display(lab)
try:
    ${busy.replaceAll('\n', '\n    ')}
except KeyboardInterrupt:
    print("interrupted")`,
      'print(int((lab.labels == 1).sum() > 0), int((lab.labels == 2).sum() > 0), lab.segmentation.shape == image.shape)'
    ]);
    await notebook.run(0);
    await notebook.start(1);
    // The widget opens its comm while the cell runs.
    const lab = await LabellerPage.in(page);
    await lab.label(GOLD);
    // Short strokes, one after the other: how long from the mouse button to the acknowledgement.
    for (let i = 0; i < 50; i++) {
      const pixel = { row: 60 + 8 * Math.floor(i / 10), column: 200 + 12 * (i % 10) };
      await lab.stroke([pixel, { row: pixel.row, column: pixel.column + 2 }]);
      await lab.saved();
    }
    const { count, median, p95 } = await lab.roundTrip();
    console.log(
      `stroke to acknowledgement while a cell ${name}, ${count} strokes: ` +
        `median ${median.toFixed(1)} ms, 95th percentile ${p95.toFixed(1)} ms`
    );
    const times = await notebook.roundTrips(60);
    console.log(
      `1 kB to the sidecar and back while a cell ${name}: ` +
        `median ${times[30]!.toFixed(1)} ms, 95th percentile ${times[57]!.toFixed(1)} ms`
    );
    await lab.train();
    expect(await notebook.isRunning(1), 'the cell ran all the time').toBe(true);
    await notebook.interrupt();
    expect(await notebook.finished(1)).toContain('interrupted');
    expect(await notebook.run(2)).toContain('1 1 True');
    expect(await lab.error()).toBeNull();
  });
}

test('A figure that a running cell draws in two steps, with a stroke between them, appears once and complete', async ({
  page,
  tmpPath
}) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/figure.ipynb`, [
    GOLD.setup,
    'lab = sl.Labeller(image, classes=["object", "ground"], name="figure", fresh=True); lab',
    `
import time, matplotlib.pyplot as plt
figure, axes = plt.subplots(figsize=(2, 2))
axes.plot([0, 1], color="#ff0000")
before = lab.labels.sum()
print("half way", flush=True)
end = time.time() + 60
while lab.labels.sum() == before and time.time() < end:
    time.sleep(0.1)
time.sleep(1)
axes.plot([1, 0], color="#0000ff")
print("labelled meanwhile:", lab.labels.sum() > before)`,
    ''
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  await notebook.start(2);
  await expect.poll(async () => textOf(await notebook.outputs(2))).toContain('half way');
  await lab.press('b');
  await lab.stroke([
    { row: 100, column: 100 },
    { row: 110, column: 130 }
  ]);
  await lab.saved();
  expect(await notebook.finished(2)).toContain('labelled meanwhile: True');
  const figures = (await notebook.outputs(2)).filter(output => output.data && 'image/png' in output.data);
  expect(figures).toHaveLength(1);
  const lines = await notebook.execute(
    3,
    `
import base64, io
from PIL import Image
pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode("""${String(figures[0]!.data!['image/png'])}"""))).convert("RGB")).astype(int)
red = (pixels[..., 0] > 200) & (pixels[..., 1] < 60) & (pixels[..., 2] < 60)
blue = (pixels[..., 2] > 200) & (pixels[..., 1] < 60) & (pixels[..., 0] < 60)
print(bool(red.any()), bool(blue.any()))`
  );
  expect(lines.trim()).toBe('True True');
});

test('With ipykernel 6 the widget labels, suggests and trains between cells', async ({ page, tmpPath }) => {
  const notebook = await TestNotebook.open(
    page,
    `${tmpPath}/old.ipynb`,
    [
      GOLD.setup,
      'import ipykernel; print(ipykernel.__version__); lab = sl.Labeller(image, classes=["object", "ground"], name="old", fresh=True); lab',
      'print(int((lab.labels == 1).sum() > 0), int((lab.labels == 2).sum() > 0), lab.segmentation.shape == image.shape)'
    ],
    OLD_KERNEL
  );
  await notebook.run(0);
  expect(await notebook.run(1)).toMatch(/^6\./);
  const lab = await LabellerPage.in(page);
  await lab.label(GOLD);
  await lab.train();
  expect(await notebook.run(2)).toContain('1 1 True');
  expect(await lab.error()).toBeNull();
});
