/** Live segmentation: how long a stroke takes to be segmented, that the last one always is, and the messages when there is nothing to learn. */
import { expect, test } from '@jupyterlab/galata';
import type { IJupyterLabPageFixture } from '@jupyterlab/galata';
import type { IStrokeTimes } from '../src/widget/state/stroke-times';
import { IPixel, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

/** Python: nanoporous gold, its segmentation by a threshold, and places of strokes within one class: [class, row, column] of their left ends. */
const GOLD = (size: number) => `
import json
import numpy as np
import sambalab as sl
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu
image, _ = sl.data.nanoporous_gold()
side = ${size}
image = np.ascontiguousarray(np.tile(image, [-(-side // n) for n in image.shape])[:side, :side])
smooth = gaussian_filter(image.astype(float), 2)
truth = smooth < threshold_otsu(smooth)
def places(count, seed=0, span=16, reach=5, edge=None):
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < count:
        row, column = rng.integers(reach + 2, (edge or side) - span - reach - 2, 2)
        window = truth[row - reach:row + reach + 1, column - reach:column + span + reach + 1]
        wanted = bool(len(found) % 2)
        if window.all() if wanted else not window.any():
            found.append([1 + int(wanted), int(row), int(column)])
    return found
print(json.dumps(places(40)))`;

interface IPoint {
  x: number;
  y: number;
}

type Place = [classId: number, row: number, column: number];

const pathOf = ([, row, column]: Place): IPixel[] => [
  { row, column },
  { row: row + 1, column: column + 15 }
];

/** Open a labeller on gold. The first cell prints places for strokes. */
async function open(page: IJupyterLabPageFixture, path: string, name: string, size = 512) {
  const errors: string[] = [];
  page.on('console', message => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      errors.push(message.text());
    }
  });
  page.on('pageerror', error => errors.push(String(error)));
  const notebook = await TestNotebook.open(page, path, [
    GOLD(size),
    `lab = sl.Labeller(image, classes=["gold", "pore"], name="${name}", fresh=True); lab`,
    ''
  ]);
  const places = JSON.parse(await notebook.run(0)) as Place[];
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  errors.length = 0; // errors of JupyterLab's start
  await lab.press('b');
  await lab.root.getByTestId('sambalab-brush-size').fill('27'); // 5 pixels
  return { notebook, lab, places, errors };
}

/** Draw strokes, each with its class. */
async function draw(lab: LabellerPage, places: readonly Place[]): Promise<void> {
  for (const place of places) {
    await lab.press(String(place[0]));
    await lab.strokes([pathOf(place)]);
  }
}

const atFraction = (values: number[], fraction: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * fraction))]!;

/** The time of each step from the pointer to the pixels, as text. */
function table(all: readonly IStrokeTimes[]): string {
  const steps: [string, keyof IStrokeTimes, keyof IStrokeTimes][] = [
    ['pointer lifted → mask made', 'released', 'committed'],
    ['→ sent', 'committed', 'sent'],
    ['→ acknowledged', 'sent', 'acknowledged'],
    ['→ first tiles here', 'acknowledged', 'firstTiles'],
    ['→ last tiles of the view here', 'firstTiles', 'lastTiles'],
    ['→ drawn', 'lastTiles', 'painted'],
    ['→ next frame', 'painted', 'shown'],
    ['pointer lifted → next frame', 'released', 'shown']
  ];
  return steps
    .map(([name, from, to]) => {
      const times = all.map(one => one[to]! - one[from]!);
      const [median, p95] = [0.5, 0.95].map(fraction => atFraction(times, fraction).toFixed(1).padStart(7));
      return `  ${name.padEnd(32)} median ${median} ms, 95th percentile ${p95} ms`;
    })
    .join('\n');
}

for (const which of ['the default', 'samba'] as const) {
  test(`A stroke changes the segmentation of a view of 512² pixels, with ${which}`, async ({ page, tmpPath }) => {
    test.setTimeout(300_000);
    const { notebook, lab, places, errors } = await open(page, `${tmpPath}/time.ipynb`, `live: ${which}`);
    const part = (name: string) => lab.root.getByTestId(`sambalab-${name}`);
    if (which === 'samba') {
      await lab.open('features');
      await part('feature-set').selectOption('samba');
      await lab.open('forest');
      await part('forest-preset').selectOption('samba');
    }
    await lab.samReady();
    await lab.live(true);
    await draw(lab, places.slice(0, 10));
    await lab.liveSettled(120_000);
    const before = (await lab.times()).length;
    for (const place of places.slice(10)) {
      await draw(lab, [place]);
      await expect.poll(async () => (await lab.times()).every(({ shown }) => shown !== null)).toBe(true);
    }
    const strokes = (await lab.times()).slice(before);
    expect(strokes).toHaveLength(30);
    const { longestDraw } = await lab.load();
    console.log(
      `live, ${which} (${(await part('training-what').textContent())!}), 30 strokes:\n${table(strokes)}\n` +
        `  longest drawing of a frame ${longestDraw.toFixed(1)} ms`
    );
    await lab.liveSettled();
    // The page shows Python's segmentation, which is right where nothing was drawn.
    const probes = [40, 150, 260, 370, 480].flatMap(row => [31, 222, 333, 444].map(column => ({ row, column })));
    const python = JSON.parse(
      await notebook.execute(
        2,
        `
segmentation = lab.segmentation
print(json.dumps([int(segmentation[p["row"], p["column"]]) for p in ${JSON.stringify(probes)}]))`
      )
    ) as number[];
    const seen = await Promise.all(probes.map(({ row, column }) => lab.read('segmentation', row, column)));
    expect(seen).toEqual(python);
    const agreement = await notebook.execute(
      2,
      'print(float(((lab.segmentation == 2) == truth)[lab.labels == 0].mean()))'
    );
    expect(Number(agreement)).toBeGreaterThan(0.8);
    expect(await lab.error()).toBeNull();
    expect(errors).toEqual([]);
  });
}

test('200 strokes in quick succession end in the segmentation of a fresh training', async ({ page, tmpPath }) => {
  test.setTimeout(300_000);
  const { notebook, lab, places, errors } = await open(page, `${tmpPath}/quick.ipynb`, 'live: quick');
  const [tab] = page.context().pages(); // Galata wraps its page, and a CDP session needs the browser's
  const session = await page.context().newCDPSession(tab!);
  const heap = async () => {
    await session.send('HeapProfiler.collectGarbage');
    return ((await session.send('Runtime.getHeapUsage')) as { usedSize: number }).usedSize;
  };
  await lab.samReady();
  await lab.live(true);
  await draw(lab, places.slice(0, 4));
  await lab.liveSettled(120_000);
  const before = await heap();
  const many = JSON.parse(await notebook.execute(2, 'print(json.dumps(places(200, seed=1)))')) as Place[];
  const corner = await lab.at({ row: 0, column: 0 });
  const across = await lab.at({ row: 100, column: 100 });
  const at = ({ row, column }: IPixel): IPoint => ({
    x: corner.x + (column * (across.x - corner.x)) / 100,
    y: corner.y + (row * (across.y - corner.y)) / 100
  });
  const start = Date.now();
  for (const classId of [1, 2, 1, 2]) {
    await lab.press(String(classId));
    // As fast as the browser takes them, without waiting.
    const pointer = many.splice(0, 50).flatMap(place => {
      const [[from, to]] = [pathOf(place).map(at)] as [[IPoint, IPoint]];
      const left = { button: 'left', clickCount: 1 } as const;
      return [
        { type: 'mouseMoved', ...from },
        { type: 'mousePressed', ...from, ...left },
        { type: 'mouseMoved', ...to, ...left, buttons: 1 },
        { type: 'mouseReleased', ...to, ...left }
      ] as const;
    });
    await Promise.all(pointer.map(event => session.send('Input.dispatchMouseEvent', event)));
  }
  const drawn = Date.now() - start;
  await lab.liveSettled(120_000);
  const after = await heap();
  const times = await lab.times();
  expect(times).toHaveLength(204);
  expect(times.every(({ shown }) => shown !== null)).toBe(true);
  const { tiles, bytes } = await lab.load();
  console.log(
    `200 strokes in ${(drawn / 1000).toFixed(1)} s; the last one shown after ` +
      `${(times[203]!.shown! - times[203]!.released!).toFixed(0)} ms; heap ${(before / 2 ** 20).toFixed(1)} → ` +
      `${(after / 2 ** 20).toFixed(1)} MiB; ${tiles} tiles of ${bytes} bytes kept`
  );
  expect(after - before).toBeLessThan(48 << 20);
  expect(tiles).toBe(4);
  const same = await notebook.execute(
    2,
    `
live, choice = lab.segmentation.copy(), lab.classifier
once = sl.Labeller(image, classes=["gold", "pore"], name="live: once", fresh=True)
once.set_labels(lab.labels)
once.train(progress=False)
print(bool(np.array_equal(live, once.segmentation)), choice.feature_names == once.classifier.feature_names, len(np.unique(live)))`
  );
  expect(same.trim()).toBe('True True 2');
  expect(await lab.error()).toBeNull();
  expect(errors).toEqual([]);
});

test('The button and L switch Live, Live waits for a second class, and a reload keeps it on', async ({
  page,
  tmpPath
}) => {
  const { notebook, lab, places, errors } = await open(page, `${tmpPath}/switch.ipynb`, 'live: switch');
  const note = lab.root.getByTestId('sambalab-training-note');
  await lab.press('l');
  await expect.poll(() => lab.isLive()).toBe(true);
  await expect(note).toHaveText('Live starts once two classes have labels.');
  await draw(lab, [places[0]!]);
  await expect(note).toHaveText('Live waits for labels of a second class; so far only “gold” has any.');
  expect(await lab.version()).toBe(0);
  await draw(lab, [places[1]!]);
  await lab.liveSettled();
  await expect(note).not.toContainText('Live');
  expect((await notebook.execute(2, 'print(lab.live)')).trim()).toBe('True');

  // Off: strokes do not change the segmentation.
  await lab.live(false);
  const version = await lab.version();
  await draw(lab, places.slice(2, 4));
  await lab.saved();
  await page.waitForTimeout(1500);
  expect(await lab.version()).toBe(version);
  await expect(note).toContainText('labels changed since');

  // Python switches it on: the strokes drawn meanwhile are learned.
  await notebook.execute(2, 'lab.live = True');
  await expect.poll(() => lab.isLive()).toBe(true);
  await expect.poll(() => lab.version(), { timeout: 30_000 }).toBeGreaterThan(version);

  // A second view of the session sees the same, and the first one follows what is drawn there.
  await page.notebook.save();
  // Not page.reload(): Galata would wait for a launcher, but the notebook is restored.
  await Promise.all([page.waitForEvent('load'), page.evaluate(() => location.reload())]);
  await TestNotebook.current(page);
  const again = await LabellerPage.in(page);
  await expect.poll(() => again.isLive(), { timeout: 30_000 }).toBe(true);
  await again.liveSettled();
  const reloaded = await again.version();
  await again.press('b');
  await draw(again, places.slice(4, 6));
  await expect.poll(() => again.version(), { timeout: 30_000 }).toBeGreaterThan(reloaded);
  await again.liveSettled();
  expect(await again.error()).toBeNull();
  expect(errors).toEqual([]);
});

test('Live keeps the segmentation when a class is erased while it is learned, and goes on when two classes have labels', async ({
  page,
  tmpPath
}) => {
  const { notebook, lab, places, errors } = await open(page, `${tmpPath}/erase.ipynb`, 'live: erase');
  await lab.live(true);
  await draw(lab, places.slice(0, 2));
  await lab.liveSettled();
  const [, row, column] = places[1]!;
  // Erase all labels of the second class while a stroke of the first is being learned.
  await draw(lab, [places[2]!]);
  await lab.press('e');
  await lab.strokes([
    [
      { row: row - 3, column: column - 4 },
      { row: row - 3, column: column + 20 },
      { row: row + 1, column: column - 4 },
      { row: row + 1, column: column + 20 },
      { row: row + 4, column: column - 4 },
      { row: row + 4, column: column + 20 }
    ]
  ]);
  await lab.saved();
  await expect(lab.root.getByTestId('sambalab-training-note')).toHaveText(
    'Live waits for labels of a second class; so far only “gold” has any.'
  );
  await lab.shownIsKept();
  const seen = () => lab.read('segmentation', row, column);
  const python = async (): Promise<number[]> =>
    JSON.parse(
      await notebook.execute(
        2,
        `print(json.dumps([int(lab.segmentation[${row}, ${column}]), int((lab.labels == 2).sum()), int(lab.segmentation.min())]))`
      )
    ) as number[];
  const [class2, labelled, least] = await python();
  expect(labelled).toBe(0);
  expect(least).toBeGreaterThan(0);
  await expect.poll(seen).toBe(class2);
  const before = await lab.version();
  await lab.press('b');
  await draw(lab, [places[3]!]);
  await expect.poll(() => lab.version(), { timeout: 30_000 }).toBeGreaterThan(before);
  await lab.liveSettled();
  expect(await lab.error()).toBeNull();
  expect(errors).toEqual([]);
});

test('The page keeps all 256 tiles of a 4096² image, and says how smooth it stayed', async ({ page, tmpPath }) => {
  test.setTimeout(600_000);
  const { notebook, lab, places, errors } = await open(page, `${tmpPath}/large.ipynb`, 'live: large', 4096);
  // What counts here is the page: SAM's maps of 25 windows, more features and more trees would only make it wait.
  await notebook.execute(
    2,
    `features = {"set": "samba", "sigmas": [1], "hessian": False, "membrane": False, "differenceOfGaussians": False}
_ = lab._request("session.choice", {"features": features, "forest": {"preset": "samba", "trees": 10}})`
  );
  await lab.root.getByTestId('sambalab-brush-size').fill('60');
  await lab.live(true);
  await draw(lab, places.slice(0, 2));
  await lab.liveSettled(300_000);
  await page.evaluate(() => {
    const frames: number[] = [];
    const tasks: number[] = [];
    let last = performance.now();
    const tick = () => {
      const now = performance.now();
      frames.push(now - last);
      last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    new PerformanceObserver(list => list.getEntries().forEach(({ duration }) => tasks.push(duration))).observe({
      entryTypes: ['longtask']
    });
    Object.assign(window, { sambalabFrames: frames, sambalabTasks: tasks });
  });
  await draw(lab, places.slice(2, 4));
  await lab.liveSettled(300_000);
  const { frames, tasks } = await page.evaluate(() => {
    const { sambalabFrames, sambalabTasks } = window as unknown as Record<string, number[]>;
    return { frames: sambalabFrames!, tasks: sambalabTasks! };
  });
  const { tiles, bytes, longestDraw } = await lab.load();
  console.log(
    `4096²: ${frames.length} frames, median ${atFraction(frames, 0.5).toFixed(1)} ms, 99th percentile ` +
      `${atFraction(frames, 0.99).toFixed(1)} ms, longest ${Math.max(...frames).toFixed(1)} ms; ${tasks.length} tasks above 50 ms` +
      `${tasks.length > 0 ? ` (longest ${Math.max(...tasks).toFixed(0)} ms)` : ''}; longest drawing ${longestDraw.toFixed(1)} ms; ` +
      `${tiles} tiles of ${(bytes / 2 ** 20).toFixed(1)} MiB kept`
  );
  expect(tiles).toBe(256 + 64); // and the reduced ones that the screen shows
  expect(await lab.error()).toBeNull();
  expect(errors).toEqual([]);
});
