/**
 * Kills the sidecar, the kernel or the browser's page at random moments while strokes stream in. SAMBALAB_KILLS says how often; 3 if it
 * is not set, once each. Every acknowledged stroke is in Python's labels afterwards, and undo takes the strokes away one by one.
 */
import { IJupyterLabPageFixture, expect, test } from '@jupyterlab/galata';
import { IPixel, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';
import { sidecarPid } from './sidecars';

// Galata's kernel watcher cannot read what a killed kernel says, so it is off here.
test.use({ kernels: null, sessions: null });

const KILLS = Number(process.env['SAMBALAB_KILLS'] ?? 3);
const KINDS = ['sidecar', 'kernel', 'page'] as const;
const SIDE = 960;
/** Strokes lie in the cells of a grid, so that each can be told apart. */
const CELL = 20;
const COLUMNS = SIDE / CELL;
const SETUP = `
import os
import numpy as np
import sambalab as sl
image = np.random.default_rng(0).integers(0, 256, (${SIDE}, ${SIDE}), dtype=np.uint8)`;
const LABELLER = 'lab = sl.Labeller(image, classes=["a", "b"], name="kills"); lab';
/** The strokes there are, a digit for each cell of the grid; and whether each label has its provenance. */
const FOUND = `
there = lab.labels[${CELL / 2}::${CELL}, ${CELL / 2}::${CELL}].ravel()
print("".join(map(str, there)), bool(((lab.labels > 0) == (lab.provenance > 0)).all()))`;

let seed = Number(process.env['SAMBALAB_SEED'] ?? 5);
const random = (n: number) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
};

/** The cell of a stroke. */
function cellOf(stroke: number): IPixel {
  return { row: CELL * Math.floor(stroke / COLUMNS) + CELL / 2, column: CELL * (stroke % COLUMNS) + CELL / 2 };
}

/** The notebook in a page, with the labeller's cells run. */
async function label(page: IJupyterLabPageFixture, notebook: TestNotebook): Promise<LabellerPage> {
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  await lab.press('b');
  return lab;
}

/** Kill the processes that draw the browser's pages, and open the notebook in a new page. */
async function killPage(page: IJupyterLabPageFixture, path: string): Promise<IJupyterLabPageFixture> {
  const context = page.context();
  const url = new URL(`/lab/tree/${path}`, page.url()).href;
  const browser = await context.browser()!.newBrowserCDPSession();
  const { processInfo } = await browser.send('SystemInfo.getProcessInfo');
  const crashed = page.waitForEvent('crash');
  processInfo.filter(({ type }) => type === 'renderer').forEach(({ id }) => process.kill(id, 'SIGKILL'));
  await crashed;
  const next = (await context.newPage()) as IJupyterLabPageFixture;
  await page.close();
  await next.goto(url);
  return next;
}

test(`After ${KILLS} kills of sidecar, kernel and page, every acknowledged stroke is there and can be undone`, async ({
  page: first,
  tmpPath
}) => {
  test.setTimeout(120_000 + KILLS * 60_000);
  const path = `${tmpPath}/kills.ipynb`;
  let page = first;
  let notebook = await TestNotebook.open(page, path, [SETUP, LABELLER, '']);
  let lab = await label(page, notebook);
  /** The strokes that the labels have, in their order. */
  const present: number[] = [];
  const seen = { sidecar: 0, kernel: 0, page: 0, acknowledged: 0, waiting: 0, waitingKept: 0, undone: 0 };
  let drawn = 0;
  let kernelDied = 0;
  /** The strokes in Python's labels; null while an undo is under way, which labels and provenance show one after the other. */
  const found = async () => {
    const [digits, consistent] = (await notebook.execute(2, FOUND)).trim().split(' ');
    return consistent === 'True' ? [...digits!].flatMap((digit, stroke) => (digit === '0' ? [] : [stroke])) : null;
  };
  for (let kill = 0; kill < KILLS; kill++) {
    let kind = KINDS[kill < KINDS.length ? kill : random(KINDS.length)]!;
    if (kind === 'kernel' && Date.now() - kernelDied < 15_000) {
      kind = 'page'; // Jupyter gives a kernel up that dies often in short time
    }
    seen[kind]++;
    const kernel = Number(await notebook.execute(2, 'print(os.getpid())'));
    const before = (await lab.times()).length;
    const from = drawn;
    let dead = false;
    const stream = (async () => {
      while (!dead && drawn < from + 100) {
        const cells = Array.from({ length: 5 }, () => cellOf(drawn++));
        await lab.strokes(cells.map(at => [at, { row: at.row, column: at.column + 4 }]));
      }
    })().catch(() => undefined); // the page may be dead
    await new Promise(resolve => setTimeout(resolve, 500 + random(1500)));
    const times = (await lab.times()).slice(before);
    const acknowledged = times.filter(({ acknowledged: at }) => at !== null).length;
    if (kind === 'sidecar') {
      process.kill(sidecarPid(), 'SIGKILL');
    } else if (kind === 'kernel') {
      dead = true;
      kernelDied = Date.now();
      process.kill(kernel, 'SIGKILL');
    } else {
      page = await killPage(page, path);
      dead = true;
      await stream;
      notebook = await TestNotebook.current(page);
      lab = await label(page, notebook);
    }
    if (kind !== 'page') {
      await new Promise(resolve => setTimeout(resolve, 300));
      dead = true;
      await stream;
    }
    if (kind === 'kernel') {
      // Jupyter starts it again; JupyterLab tells so in a dialog if it sees it die.
      await lab.root.getByText('The kernel was restarted').first().waitFor({ timeout: 60_000 });
      const told = page.locator('.jp-Dialog .jp-mod-accept');
      if (await told.isVisible()) {
        await told.click();
      }
      await notebook.kernelReady();
      await expect.poll(() => notebook.execute(2, 'import os; print(os.getpid())')).not.toBe(String(kernel));
      lab = await label(page, notebook);
    }
    await lab.saved(60_000);
    const now = (await found())!;
    expect(now).not.toBeNull();
    // All that were there before, and of the new ones at least those that were acknowledged. After the sidecar's end, what waited
    // comes too. A kernel that dies makes JupyterLab open a dialog and scroll, so the last strokes may lie elsewhere.
    const kept = now.length - present.length;
    const sure = kind === 'sidecar' ? drawn - from : acknowledged;
    expect(
      [...present, ...Array.from({ length: sure }, (_, i) => from + i)].filter(stroke => !now.includes(stroke))
    ).toEqual([]);
    if (kind !== 'kernel') {
      expect(now).toEqual([...present, ...Array.from({ length: kept }, (_, i) => from + i)]);
    }
    expect(await lab.countLabelled()).toBe(Number(await notebook.execute(2, 'print(np.count_nonzero(lab.labels))')));
    seen.acknowledged += acknowledged;
    seen.waiting += drawn - from - acknowledged;
    seen.waitingKept += kept - acknowledged;
    // Strokes that are sent again may change places, so an undo takes any of the last ones.
    let left = now.length;
    for (let undo = kind === 'kernel' ? 0 : random(4); undo > 0 && left > 0; undo--) {
      await lab.press('Control+z');
      left--;
      seen.undone++;
    }
    await expect.poll(async () => (await found())?.length).toBe(left);
    const after = (await found())!;
    expect(after.filter(stroke => !now.includes(stroke))).toEqual([]);
    present.splice(0, Infinity, ...after);
  }
  expect(seen.acknowledged).toBeGreaterThan(KILLS);
  let left = present;
  for (let undo = Math.min(present.length, 150); undo > 0; undo--) {
    expect(await notebook.execute(2, `lab.undo()\n${FOUND}`)).toContain('True');
    if (undo % 10 === 1) {
      const now = (await found())!;
      expect(now.length).toBeLessThan(left.length);
      expect(now.filter(stroke => !left.includes(stroke))).toEqual([]);
      left = now;
    }
  }
  if (process.env['SAMBALAB_KILLS']) {
    console.log(`${KILLS} kills: ${JSON.stringify(seen)}`);
  }
});
