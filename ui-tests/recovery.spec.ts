/** No acknowledged label is lost when processes are killed, the kernel restarts or the page reloads. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jupyterlab/galata';
import type { IDebugHandle } from '../src/widget/frame/debug';
import { GOLD, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';
import { serverFolder } from './servers';
import { samChildPid, sidecarPid } from './sidecars';

// Galata's kernel watcher cannot read the reply to a restart, so it is off here.
test.use({ kernels: null, sessions: null });

const COUNT = 'print(np.count_nonzero(lab.labels))';

async function open(page: Parameters<typeof TestNotebook.open>[0], path: string, name: string) {
  const notebook = await TestNotebook.open(page, path, [
    GOLD.setup,
    `lab = sl.Labeller(image, classes=["object", "ground"], name="${name}"); lab`,
    COUNT
  ]);
  await notebook.run(0);
  await notebook.run(1);
  return notebook;
}

/** Ten short strokes in different places, starting at a row. */
async function paint(lab: LabellerPage, row: number, between: (i: number) => void = () => undefined): Promise<void> {
  await lab.press('b');
  for (let i = 0; i < 10; i++) {
    await lab.stroke([
      { row, column: 40 + i * 40 },
      { row: row + 6, column: 52 + i * 40 }
    ]);
    between(i);
  }
}

test('Killing the sidecar in the middle of labelling loses no stroke, and labelling goes on', async ({
  page,
  tmpPath
}) => {
  const notebook = await open(page, `${tmpPath}/kill.ipynb`, 'kill sidecar');
  const lab = await LabellerPage.in(page);
  await paint(lab, 60);
  await lab.saved();
  const acknowledged = Number(await notebook.run(2));
  expect(acknowledged).toBeGreaterThan(0);
  const first = sidecarPid();
  await paint(lab, 120, i => {
    if (i === 4) {
      process.kill(first, 'SIGKILL');
    }
  });
  await lab.saved(60_000);
  expect(sidecarPid()).not.toBe(first);
  // The labels are the same as before, so the widget does not announce them.
  await expect(lab.root.getByTestId('sambalab-resumed')).toBeHidden();
  const labelled = Number(await notebook.run(2));
  expect(await lab.countLabelled()).toBe(labelled);
  const kept = 'np.count_nonzero(lab.labels[:95])';
  const strokes = 'int((lab.labels[60, 40:440:40] > 0).sum()), int((lab.labels[120, 40:440:40] > 0).sum())';
  expect(await notebook.execute(2, `print(${kept}, ${strokes})`)).toContain(`${acknowledged} 10 10`);
});

test('A sidecar that was shut down stays so until the user acts in the widget', async ({ page, tmpPath }) => {
  const notebook = await open(page, `${tmpPath}/shutdown.ipynb`, 'shut down');
  const lab = await LabellerPage.in(page);
  await lab.samReady();
  await paint(lab, 60);
  await lab.saved();
  const labelled = await lab.countLabelled();
  const note = lab.root.getByTestId('sambalab-gone');
  const running = 'from sambalab.sidecar_client import sidecar; print(sidecar._find() is not None)';

  expect(await notebook.execute(2, 'print(sl.shutdown())')).toContain('True');
  await expect(note).toContainText('The sidecar was stopped.');
  await lab.press('+');
  await lab.moveTo(300, 300);
  await lab.open('session');
  await page.waitForTimeout(6000); // the page repeats what is not answered after 4 s
  expect(await notebook.execute(2, running)).toContain('False');
  await expect(note).toBeVisible();
  await lab.root.getByTestId('sambalab-start').click();
  await expect(note).toBeHidden();
  await expect.poll(() => notebook.execute(2, running)).toContain('True');
  expect(await lab.countLabelled()).toBe(labelled);

  expect(await notebook.execute(2, 'print(sl.shutdown())')).toContain('True');
  await expect(note).toBeVisible();
  await lab.press('0');
  await paint(lab, 120);
  await lab.saved(60_000);
  await expect(note).toBeHidden();
  expect(Number(await notebook.execute(2, COUNT))).toBe(await lab.countLabelled());
  expect(await lab.countLabelled()).toBeGreaterThan(1.9 * labelled);
});

test('The panel lists the models whose files are here, names wrong files, and lets another one suggest', async ({
  page,
  tmpPath
}) => {
  // A small SAM 2.1 of random weights suggests discs; MobileSAM's file in the folder is damaged.
  const notebook = await open(page, `${tmpPath}/models.ipynb`, 'models');
  const lab = await LabellerPage.in(page);
  await notebook.execute(
    2,
    `
import pathlib, tempfile
from sambalab.tests.typescript import typescript
folder = pathlib.Path(tempfile.mkdtemp())
typescript(f"""
import {{ findPromptModel }} from './models';
import {{ writeRandomModel }} from '../../kernel-server/src/__tests__/support/random-model';
writeRandomModel({str(folder)!r}, findPromptModel('sam2.1-tiny'));
console.log('1');
""", [], folder)
(folder / "encoder.onnx").write_bytes(b"no model")
(folder / "sam-vit-b").mkdir()
(folder / "sam-vit-b/encoder.onnx").write_bytes(b"no model")
os.environ["SAMBALAB_MODELS"] = str(folder)
print(sl.shutdown())`
  );
  await lab.root.getByTestId('sambalab-start').click();
  await expect(lab.root.getByTestId('sambalab-gone')).toBeHidden();
  await lab.open('suggestion-section');
  const model = lab.root.getByTestId('sambalab-suggestion-model');
  await expect(model.locator('option')).toHaveText(['MobileSAM', 'SAM 2.1 tiny']);
  await expect(lab.root.getByTestId('sambalab-suggestion-broken-models')).toContainText('Wrong files: SAM ViT-B.');
  await model.selectOption('sam2.1-tiny');
  const status = lab.root.getByTestId('sambalab-status');
  await expect(status).toHaveAttribute('title', /^sam2\.1-tiny: the embedding took/, { timeout: 60_000 });
  await lab.press('s');
  await lab.moveTo(345, 512);
  const { count, covers } = await lab.suggestionAt(345, 512);
  expect(covers(345, 512)).toBe(true);
  // Discs of 80, 120 or 160 pixels of a frame of 1024, to which the image is squashed.
  const discs = [80, 120, 160].map(radius => (Math.PI * radius ** 2 * 690) / 1024);
  expect(Math.min(...discs.map(disc => Math.abs(count / disc - 1)))).toBeLessThan(0.05);
  expect(await notebook.execute(2, 'print(lab.sam_model)')).toContain('sam2.1-tiny');
  // The damaged file is passed over: MobileSAM comes from the package, and a banner names the file.
  await model.selectOption('mobile-sam');
  const image = `
other = sl.Labeller(image[::-1, ::-1].copy(), classes=["object", "ground"], fresh=True)
other`;
  await notebook.execute(1, image);
  const second = await LabellerPage.in(page);
  await second.samReady();
  await expect(second.root.getByTestId('sambalab-model-problem')).toContainText(
    'encoder.onnx is not the encoder of MobileSAM: byte 0 is not that of an ONNX model.'
  );
  await notebook.execute(2, 'del os.environ["SAMBALAB_MODELS"]; sl.shutdown()');
});

test('A banner and a warning tell what a damaged file of the labels has cost', async ({ page, tmpPath }) => {
  const notebook = await open(page, `${tmpPath}/damage.ipynb`, 'damaged file');
  const lab = await LabellerPage.in(page);
  await paint(lab, 60);
  await lab.saved();
  const session = await notebook.execute(2, 'print(lab.session)');
  process.kill(sidecarPid(), 'SIGKILL');
  const folder = join(serverFolder(), 'data/sessions', /[0-9a-f]{32}/.exec(session)![0]);
  const journal = join(folder, 'labels.journal');
  const bytes = readFileSync(journal);
  bytes[bytes.length - 5]! ^= 1; // in the last stroke
  writeFileSync(journal, bytes);

  await paint(lab, 120);
  await lab.saved(60_000);
  const banner = lab.root.getByTestId('sambalab-recovered');
  await expect(banner).toContainText(
    /labelled pixels were kept\. Lost: 1 stroke\. The damaged file is kept as .*\.damaged/
  );
  expect(readdirSync(folder).filter(name => name.endsWith('.damaged'))).toHaveLength(1);
  const warned =
    'import warnings\nwith warnings.catch_warnings(record=True) as told:\n    lab.labels\nprint(told[0].message)';
  expect(await notebook.execute(2, warned)).toContain('Lost: 1 stroke.');
  const strokes = 'print(int((lab.labels[60, 40:440:40] > 0).sum()), int((lab.labels[120, 40:440:40] > 0).sum()))';
  expect(await notebook.execute(2, strokes)).toContain('9 10');
  await banner.getByTestId('sambalab-recovered-close').click();
  await expect(banner).toBeHidden();
});

test('The suggestion still comes when the process that runs SAM is killed while it encodes', async ({
  page,
  tmpPath
}) => {
  const notebook = await open(page, `${tmpPath}/compute.ipynb`, 'kill compute');
  const lab = await LabellerPage.in(page);
  await lab.samReady();
  await paint(lab, 60);
  await lab.saved();
  const acknowledged = Number(await notebook.run(2));
  // A new image makes SAM encode again; its process is killed meanwhile.
  const first = samChildPid();
  await notebook.execute(1, 'lab2 = sl.Labeller(image[::-1].copy(), classes=["object", "ground"], fresh=True); lab2');
  process.kill(first, 'SIGKILL');
  const other = await LabellerPage.in(page);
  await other.samReady();
  expect(samChildPid()).not.toBe(first);
  const { rows } = await other.size();
  await other.moveTo(rows - 1 - GOLD.object.row, GOLD.object.column);
  await other.suggestionAt(rows - 1 - GOLD.object.row, GOLD.object.column);
  expect(Number(await notebook.run(2))).toBe(acknowledged);
});

test('Every acknowledged label is kept after a kernel restart and after a reload', async ({ page, tmpPath }) => {
  const path = `${tmpPath}/restart.ipynb`;
  const notebook = await open(page, path, 'restart');
  const lab = await LabellerPage.in(page);
  await paint(lab, 60);
  await lab.saved();
  const acknowledged = Number(await notebook.run(2));

  await notebook.restartKernel();
  await notebook.run(0);
  await notebook.run(1);
  expect(Number(await notebook.run(2))).toBe(acknowledged);
  const again = await LabellerPage.in(page);
  expect(await again.countLabelled()).toBe(acknowledged);
  await expect(again.root).toContainText(/were loaded/);

  // A reload of the page: the widget comes back from the kernel and works.
  await page.notebook.save();
  // Not page.reload(): Galata would wait for a launcher, but the notebook is restored.
  await Promise.all([page.waitForEvent('load'), page.evaluate(() => location.reload())]);
  const reloaded = await TestNotebook.current(page);
  const third = await LabellerPage.in(page);
  expect(await third.countLabelled()).toBe(acknowledged);
  // The banner stands above the image, which must not move when the sidecar is restarted.
  const resumed = third.root.getByTestId('sambalab-resumed');
  await expect(resumed).toBeVisible();
  process.kill(sidecarPid(), 'SIGKILL');
  await paint(third, 120);
  await expect(resumed).toBeVisible();
  await third.saved();
  expect(Number(await reloaded.run(2))).toBe(await third.countLabelled());
  expect(await third.countLabelled()).toBeGreaterThan(1.9 * acknowledged);
});

test('Start fresh asks first, then sets the labels aside', async ({ page, tmpPath }) => {
  const notebook = await open(page, `${tmpPath}/fresh.ipynb`, 'fresh');
  const lab = await LabellerPage.in(page);
  await paint(lab, 60);
  await lab.saved();
  await notebook.restartKernel();
  await notebook.run(0);
  await notebook.run(1);
  const again = await LabellerPage.in(page);
  await again.startFresh();
  await expect.poll(async () => Number(await notebook.run(2))).toBe(0);
  await expect.poll(() => again.countLabelled()).toBe(0); // the page hears of it at about the same time
});

test('Labels of a renamed notebook are offered, and one click copies them', async ({ page, tmpPath }) => {
  const cells = [GOLD.setup, 'lab = sl.Labeller(image, ["object", "ground"]); lab', COUNT];
  const before = await TestNotebook.open(page, `${tmpPath}/before.ipynb`, cells);
  await before.run(0);
  await before.run(1);
  await paint(await LabellerPage.in(page), 60);
  await (await LabellerPage.in(page)).saved();
  const labelled = Number(await before.run(2));
  expect(labelled).toBeGreaterThan(0);
  const after = await TestNotebook.open(page, `${tmpPath}/after.ipynb`, cells);
  await after.run(0);
  await after.run(1);
  const lab = await LabellerPage.in(page);
  expect(Number(await after.run(2))).toBe(0);
  const banner = lab.root.getByTestId('sambalab-related');
  await expect(banner).toContainText(`${labelled.toLocaleString('en')} labelled pixels of this image`);
  await expect(banner).toContainText('before.ipynb, variable lab');
  await banner.getByTestId('sambalab-related-take').click();
  await expect(banner).toBeHidden();
  await expect.poll(() => lab.countLabelled()).toBe(labelled);
  expect(Number(await after.run(2))).toBe(labelled);
});

test('Labels that were set aside come back from the section Session', async ({ page, tmpPath }) => {
  const notebook = await open(page, `${tmpPath}/backup.ipynb`, 'backup');
  const lab = await LabellerPage.in(page);
  await paint(lab, 60);
  await lab.saved();
  const labelled = Number(await notebook.run(2));
  await notebook.execute(2, 'lab.fresh_start()');
  await expect.poll(() => lab.countLabelled()).toBe(0);
  await lab.open('session');
  const backups = lab.root.getByTestId('sambalab-backups');
  await expect(backups).toContainText(`${labelled.toLocaleString('en')} pixels`);
  await backups.getByTestId('sambalab-restore').click();
  await expect.poll(() => lab.countLabelled()).toBe(labelled);
  expect(Number(await notebook.execute(2, COUNT))).toBe(labelled);
  expect(await lab.error()).toBeNull();
});

test.describe('Where the sidecar is to decode', () => {
  test.use({ mockSettings: { 'sambalab:widget': { decoderRoute: 'sidecar' } } });

  test('A sidecar that decodes and is killed while SAM looks at a region: the right suggestion there, once it is back', async ({
    page,
    tmpPath
  }) => {
    test.setTimeout(180_000);
    // Discs of radius 20 in a large image: in an embedding of all of it each has a dozen pixels.
    const notebook = await TestNotebook.open(page, `${tmpPath}/large.ipynb`, [
      `
import numpy as np
import sambalab as sl
image = np.random.default_rng(0).normal(90, 10, (2000, 3000)).clip(0, 255).astype(np.uint8)
rows, columns = np.mgrid[:2000, :3000]
image[np.hypot(rows % 200 - 100, columns % 200 - 100) <= 20] += 80
lab = sl.Labeller(image, classes=["a", "b"], name="large", fresh=True)
lab`
    ]);
    await notebook.run(0);
    const lab = await LabellerPage.in(page);
    await lab.samReady();
    await lab.press('s');
    const at = { row: 900, column: 2300 };
    await lab.moveTo(at.row, at.column);
    const routes = () =>
      lab.root.evaluate(root => (root as HTMLElement & { sambalab: IDebugHandle }).sambalab.decoderRoutes);
    await expect.poll(async () => (await routes())!.answers.sidecar, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(await routes()).toMatchObject({ serving: 'sidecar', answers: { page: 0 }, problems: { sidecar: null } });
    const status = lab.root.getByTestId('sambalab-status');
    await status.hover();
    await expect(status).toHaveAttribute('title', /Suggestions are decoded in the sidecar/);
    await lab.moveTo(at.row, at.column);
    while ((await lab.scale()) < 2) {
      await page.keyboard.down('Control');
      await page.mouse.wheel(0, -240);
      await page.keyboard.up('Control');
      await lab.moveTo(at.row, at.column);
    }
    process.kill(sidecarPid(), 'SIGKILL');
    // Until the window is there, the embedding of the whole image answers.
    const pixels = () =>
      lab.root.evaluate(root => {
        const { suggestion } = (root as HTMLElement & { sambalab: IDebugHandle }).sambalab;
        return suggestion ? suggestion.mask.reduce((sum, pixel) => sum + pixel, 0) : 0;
      });
    const disc = Math.PI * 20 ** 2;
    await expect
      .poll(async () => Math.abs((await pixels()) / disc - 1), { timeout: 90_000, intervals: [500] })
      .toBeLessThan(0.15);
    const { covers } = await lab.suggestionAt(at.row, at.column);
    expect([covers(at.row, at.column), covers(at.row - 15, at.column), covers(at.row, at.column + 15)]).toEqual([
      true,
      true,
      true
    ]);
  });
});

test('Offline: the suggestion of the shown slice or none, and strokes that wait until the kernel is reached again', async ({
  page,
  tmpPath
}) => {
  test.setTimeout(180_000);
  // One disc of radius 25 on each slice, where the others have none.
  const notebook = await TestNotebook.open(page, `${tmpPath}/offline.ipynb`, [
    `
import numpy as np
import sambalab as sl
stack = np.random.default_rng(0).normal(90, 8, (6, 300, 400)).clip(0, 255).astype(np.uint8)
rows, columns = np.mgrid[:300, :400]
for k, image in enumerate(stack):
    image[np.hypot(rows - 150, columns - 50 - 60 * k) <= 25] += 90
lab = sl.Labeller(stack, classes=["a", "b"], name="offline", fresh=True)
lab`,
    'print(np.count_nonzero(lab.labels[1]), np.count_nonzero(lab.labels))'
  ]);
  await notebook.run(0);
  const lab = await LabellerPage.in(page);
  const disc = (slice: number) => ({ row: 150, column: 50 + 60 * slice });
  const embedding = () =>
    lab.root.evaluate(root => {
      const { state } = (root as HTMLElement & { sambalab: IDebugHandle }).sambalab;
      return (state as { embedding: { state: string } }).embedding.state;
    });
  const go = async (key: 'PageDown' | 'PageUp', times: number) => {
    for (let i = 0; i < times; i++) {
      await lab.press(key);
    }
  };
  const findsDisc = async (slice: number) => {
    const { row, column } = disc(slice);
    await lab.moveTo(row, column);
    const { count, covers } = await lab.suggestionAt(row, column);
    expect(Math.abs(count / (Math.PI * 25 ** 2) - 1)).toBeLessThan(0.2);
    expect([covers(row - 20, column), covers(row, column + 20)]).toEqual([true, true]);
  };
  await lab.samReady();
  await lab.press('s');
  await go('PageDown', 1);
  await lab.samReady();
  await findsDisc(1);
  // From here on: how often the disc of another slice than the shown one is suggested.
  await lab.root.evaluate(root => {
    const page = window as Window & { wrongDiscs?: number };
    page.wrongDiscs = 0;
    setInterval(() => {
      const { state, suggestion, firstMask } = (root as HTMLElement & { sambalab: IDebugHandle }).sambalab;
      const mask = suggestion?.mask ?? firstMask;
      const { slice } = state as { slice: number };
      const area = mask?.reduce((sum, pixel) => sum + pixel, 0) ?? Infinity;
      if (mask && area < 3000 && [0, 1, 2, 3, 4, 5].some(k => k !== slice && mask[150 * 400 + 50 + 60 * k] === 1)) {
        page.wrongDiscs!++;
      }
    }, 20);
  });

  // Go offline while SAM encodes slice 5, whose embedding comes late, and go on to slice 4, which the page has not.
  const sam = samChildPid();
  process.kill(sam, 'SIGSTOP');
  await go('PageDown', 4);
  await page.waitForTimeout(600); // the page asks once the user rests on a slice
  await expect.poll(embedding).toBe('computing');
  await page.context().setOffline(true);
  process.kill(sam, 'SIGCONT');
  const status = lab.root.getByTestId('sambalab-status');
  await expect(status).toContainText('The kernel cannot be reached.');
  // JupyterLab says so too, over everything.
  const dialog = page.locator('.jp-Dialog', { hasText: 'Server Connection Error' });
  await dialog.getByRole('checkbox').check({ timeout: 60_000 });
  await dialog.getByRole('button', { name: 'Close' }).click();
  await go('PageUp', 1);
  for (const slice of [4, 5]) {
    await lab.moveTo(disc(slice).row, disc(slice).column);
    await expect.poll(embedding).toBe('waiting');
    expect(
      await lab.root.evaluate(root => (root as HTMLElement & { sambalab: IDebugHandle }).sambalab.suggestion)
    ).toBeNull();
  }
  // What the page has goes on: suggestions of slice 1, and strokes.
  await go('PageUp', 3);
  await findsDisc(1);
  await lab.press('b');
  await lab.stroke([
    { row: 40, column: 60 },
    { row: 60, column: 200 }
  ]);
  await lab.stroke([
    { row: 250, column: 60 },
    { row: 230, column: 200 }
  ]);
  await expect(lab.root.getByTestId('sambalab-unsent')).toHaveText('2 strokes unsent');
  const painted = await lab.countLabelled();
  expect(painted).toBeGreaterThan(500);

  await lab.press('s');
  await go('PageDown', 3);
  await lab.moveTo(disc(5).row, disc(5).column);
  // Playwright leaves open sockets open and silent; a real network closes them sooner or later.
  await page.evaluate(() => {
    const { currentWidget } = window.jupyterapp.shell as unknown as {
      currentWidget: { context: { sessionContext: { session: { kernel: { _ws: WebSocket } } } } };
    };
    currentWidget.context.sessionContext.session.kernel._ws.close(3001);
  });
  await page.waitForTimeout(2000); // the first new sockets fail
  await expect(status).toContainText('The kernel cannot be reached.');
  await page.context().setOffline(false);
  await lab.saved(60_000);
  await lab.samReady();
  await findsDisc(4);
  await expect(status).not.toContainText('cannot be reached');
  expect(await notebook.run(1)).toContain(`${painted} ${painted}`);
  expect(await page.evaluate(() => (window as Window & { wrongDiscs?: number }).wrongDiscs)).toBe(0);
  expect(await lab.error()).toBeNull();
});
