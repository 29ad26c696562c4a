/** A stack: what goes over the websocket when a slice is shown again, and what SAM finds on other slices. */
import { expect, test } from '@jupyterlab/galata';
import { GOLD, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

const HOLE = { row: 90, column: 150 };

test.describe('By the decoder of the page', () => {
  // Else points that are decoded ahead go to the sidecar now and then, to learn which of the two answers sooner.
  test.use({ mockSettings: { 'sambalab:widget': { decoderRoute: 'page' } } });

  test('Going back to a slice fetches nothing, and suggestions are there at once', async ({ page, tmpPath }) => {
    /** Bytes of the comm messages of labellers, and the protocol's methods and events that they name. */
    let traffic = { bytes: 0, names: [] as string[] };
    /** The last state of each job that was told. */
    const jobs = new Map<string, string>();
    page.on('websocket', socket => {
      const count = ({ payload }: { payload: string | Buffer }) => {
        if (typeof payload === 'string') {
          return;
        }
        // v1.kernel.websocket.jupyter.org: a count of offsets, the offsets, then channel, header, parent, metadata, content, buffers.
        const parts = Number(payload.readBigUInt64LE(0));
        const offset = (i: number) => Number(payload.readBigUInt64LE(8 * (i + 1)));
        if (payload.subarray(offset(1), offset(2)).includes('"comm_msg"') && parts > 6) {
          traffic.bytes += payload.length - offset(5);
          const header = payload.subarray(offset(5), offset(6)).toString();
          traffic.names.push(/"(?:method|event)":"([^"]+)"/.exec(header)?.[1] ?? header.slice(0, 80));
          const [, job, state] = /"job":"([^"]+)".*?"state":"([^"]+)"/.exec(header) ?? [];
          if (job) {
            jobs.set(job, state!);
          }
        }
      };
      socket.on('framesent', count);
      socket.on('framereceived', count);
    });
    const notebook = await TestNotebook.open(page, `${tmpPath}/slices.ipynb`, [
      GOLD.setup,
      `rows, columns = np.indices((400, 600))
hole = (rows - 90) ** 2 + (columns - 150) ** 2 < 50 ** 2
stack = np.stack([np.where(hole, 220, 30 + 10 * i).astype(np.uint8) for i in range(3)])
lab = sl.Labeller(stack, classes=["hole", "ground"], name="slices", fresh=True); lab`,
      `print(json.dumps({"counts": [int((lab.labels[i] == 1).sum()) for i in range(3)], "steps": [step.tool for step in lab.history]}))`
    ]);
    await notebook.run(0);
    await notebook.run(1);
    const lab = await LabellerPage.in(page);
    await lab.samReady();
    for (const key of ['PageDown', 'PageDown']) {
      await lab.press(key);
      await lab.samReady();
      await LabellerPage.in(page); // waits for its tiles
    }
    // Background work after the visits ends: what the classifier will see of each slice.
    const isBusy = () => [...jobs.values()].includes('running');
    for (let seen = -1; seen !== traffic.names.length || isBusy();) {
      seen = traffic.names.length;
      await page.waitForTimeout(2000);
    }
    expect(traffic.names).toContain('sam.embedding');
    traffic = { bytes: 0, names: [] };
    await lab.press('PageUp');
    await lab.press('PageUp');
    await lab.samReady();
    await LabellerPage.in(page); // waits for its tiles
    await lab.moveTo(HOLE.row, HOLE.column);
    const shown = await lab.suggestionAt(HOLE.row, HOLE.column);
    expect(shown.covers(HOLE.row, HOLE.column)).toBe(true);
    await page.waitForTimeout(1000);
    // Only that another part is in view is told, and acknowledged.
    expect(traffic.names.filter(name => name !== 'session.view' && !name.includes('"result":{}'))).toEqual([]);
    expect(traffic.bytes).toBeLessThan(1000);

    // The pointer rests while slices are turned: what is under it is suggested there.
    for (const key of ['PageDown', 'PageUp']) {
      await lab.press(key);
      await lab.samReady();
      expect((await lab.suggestionAt(HOLE.row, HOLE.column)).covers(HOLE.row, HOLE.column)).toBe(true);
    }

    // Carried from here, the hole is labelled on all slices, in one step.
    await lab.press('Shift+D');
    await expect(lab.root.getByTestId('sambalab-status')).toContainText(
      'Carried through slices 0 to 2. Slice 0 is the first one. Slice 2 is the last one.',
      { timeout: 60_000 }
    );
    const read = async () => JSON.parse(await notebook.run(2)) as { counts: number[]; steps: string[] };
    const { counts, steps } = await read();
    expect(counts.every(count => Math.abs(count / (Math.PI * 50 ** 2) - 1) < 0.1)).toBe(true);
    expect(steps).toEqual(['carry']);

    // SAM draws the labelled object anew: its box and a pixel inside are the prompts of a suggestion that is held.
    await lab.press('Shift+C');
    await expect(lab.root.getByTestId('sambalab-scale')).toHaveText('Suggestion: by your prompts');
    const redrawn = await lab.suggestion();
    expect(redrawn.covers(HOLE.row, HOLE.column)).toBe(true);
    expect(Math.abs(redrawn.count / (Math.PI * 50 ** 2) - 1)).toBeLessThan(0.1);
    await lab.press('Escape');
    await lab.press('ControlOrMeta+z');
    await expect.poll(async () => (await read()).counts).toEqual([0, 0, 0]);
  });
});

test('All like one object are proposed on its slice, then on all slices, and taken as one step', async ({
  page,
  tmpPath
}) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/like.ipynb`, [
    GOLD.setup,
    `rows, columns = np.indices((256, 400))  # more than one window of SAM for discs as small as these
discs = lambda first: np.any([np.hypot(rows - r, columns - c) <= 10 for r in (70, 190) for c in range(first, 400, 90)], axis=0)
truth = np.stack([discs(50), discs(75)])
noise = np.random.default_rng(5).normal(0, 8, truth.shape)
lab = sl.Labeller((np.where(truth, 190, 90) + noise).astype(np.uint8), classes=["disc", "ground"], name="like", fresh=True); lab`,
    `labels = lab.labels[:] == 1
print(json.dumps([float((labels[i] & truth[i]).sum() / (labels[i] | truth[i]).sum()) for i in (0, 1)]))`
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  await lab.samReady();
  const status = lab.root.getByTestId('sambalab-status');
  const findMore = async (found: RegExp) => {
    await lab.press('Shift+A');
    await expect(status).toHaveText(found, { timeout: 90_000 });
  };
  await lab.moveTo(70, 140);
  await lab.suggestionAt(70, 140);
  await lab.click();
  await lab.saved();
  const [own] = JSON.parse(await notebook.run(2)) as number[];
  await findMore(/^\d objects like it are proposed\. .*again looks in the whole slice\.$/);
  await findMore(/^\d objects like it are proposed\. .*again looks in all slices\.$/);
  await findMore(/^\d+ objects like it are proposed, \d on slice 1\./);
  const [count, others] = (await status.textContent())!.match(/\d+/g)!.map(Number) as [number, number];
  expect([count - others, others].every(each => each >= 5)).toBe(true);
  await lab.press('PageDown');
  await expect(status).toHaveText(
    new RegExp(`^${count} objects like it are proposed, ${count - others} on slice 0\\.`)
  );
  await LabellerPage.in(page); // waits for its tiles
  // Those of this slice are orange on grey.
  const proposed = async () => {
    await page.mouse.move(0, 0); // else a suggestion shows as well
    const centres = [70, 190].flatMap(row => [75, 165, 255, 345].map(column => ({ row, column })));
    const colours = await Promise.all(centres.map(async ({ row, column }) => lab.pixel(row, column)));
    return centres.filter((_, i) => colours[i]![0]! > colours[i]![2]! + 30);
  };
  await expect.poll(async () => (await proposed()).length).toBe(others);
  const [dropped, ...kept] = await proposed();
  await lab.moveTo(dropped!.row, dropped!.column);
  await lab.click();
  await expect(status).toHaveText(new RegExp(`^${count - 1} objects`));
  await expect.poll(proposed).toEqual(kept);
  await lab.press('Enter');
  await expect(status).toHaveText(new RegExp(`^${count - 1} objects on 2 slices are labelled\\.`));
  const [first, second] = JSON.parse(await notebook.run(2)) as [number, number];
  expect(first).toBeGreaterThan(0.5);
  expect(second).toBeGreaterThan(0.35);
  await lab.press('Control+z');
  await expect.poll(async () => JSON.parse(await notebook.run(2)) as number[]).toEqual([own, 0]);
});

test('Slices pass by wheel and keys; strokes, copies and fills go to the slices that are meant', async ({
  page,
  tmpPath
}) => {
  const asked: string[] = [];
  page.on('websocket', socket =>
    socket.on('framesent', ({ payload }) => {
      const found = /"method":"(sam\.embedding)".*?"slice":(\d+)/.exec(payload.toString());
      if (found) {
        asked.push(found[2]!);
      }
    })
  );
  const notebook = await TestNotebook.open(page, `${tmpPath}/stack.ipynb`, [
    GOLD.setup,
    `rows, columns = np.indices((400, 600))
stack = np.stack([np.full((400, 600), 40 + 8 * i, np.uint8) for i in range(25)])
for i in range(25):  # a disc that moves on by 20 pixels a slice
    stack[i][np.hypot(rows - 330, columns - 60 - 20 * i) < 24] = 250 if i < 15 else 20
lab = sl.Labeller(stack, classes=["hole", "ground"], name="stack", fresh=True); lab`,
    `print(json.dumps({"labelled": [i for i in range(25) if lab.labels[i].any()], "steps": [step.tool for step in lab.history], "at": [int(lab.labels[i][100, 150]) for i in range(25)]}))`
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  await lab.samReady();
  const slice = () =>
    lab.root.evaluate(root => (root as never as { sambalab: { state: { slice: number } } }).sambalab.state.slice);
  // In one task, so that no time passes between the keys.
  await lab.root.evaluate(root => {
    for (const [key, times] of [
      ['PageDown', 24],
      ['PageUp', 15],
      ['PageDown', 11]
    ] as const) {
      for (let i = 0; i < times; i++) {
        root.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
      }
    }
  });
  expect(await slice()).toBe(20);
  await lab.samReady();
  expect([...new Set(asked)]).toEqual(['0', '20']);
  expect((await lab.pixel(200, 300))[0]).toBe(40 + 8 * 20);
  const disc = { row: 330, column: 60 + 20 * 20 };
  await lab.moveTo(disc.row, disc.column);
  const { count, covers } = await lab.suggestionAt(disc.row, disc.column);
  expect(Math.abs(count / (Math.PI * 24 ** 2) - 1)).toBeLessThan(0.2);
  expect(covers(disc.row, disc.column)).toBe(true);
  // The stroke goes on in the slice that the wheel turns to.
  await lab.press('b');
  await lab.moveTo(100, 150);
  await page.mouse.down();
  await lab.moveTo(100, 200);
  await page.keyboard.down('Shift');
  await page.mouse.wheel(0, -120);
  await page.keyboard.up('Shift');
  await expect.poll(slice).toBe(19);
  await lab.moveTo(100, 150);
  await page.mouse.up();
  await lab.saved();
  expect(await lab.read('labels', 100, 150)).toBe(1);
  // Copy on, leave a gap, fill it.
  await lab.press('PageUp');
  await lab.press('PageUp');
  await lab.press('PageUp');
  expect(await slice()).toBe(16);
  await lab.stroke([
    { row: 100, column: 150 },
    { row: 100, column: 200 }
  ]);
  await lab.saved();
  const marks = lab.root.getByTestId('sambalab-slice-marks').locator('span');
  await expect(marks).toHaveCount(2);
  await lab.press('PageUp');
  await lab.press('Shift+PageDown');
  expect(await slice()).toBe(16);
  await lab.press('j');
  await expect(marks).toHaveCount(3);
  await expect(marks.last()).toHaveAttribute('title', 'Slices 17 to 18: interpolated labels');
  await lab.press('Shift+PageDown');
  await lab.press('Shift+PageDown');
  await lab.press('Shift+PageDown');
  await lab.press('Shift+PageDown');
  expect(await slice()).toBe(20);
  await lab.press('d');
  await expect.poll(slice).toBe(21);
  await expect.poll(() => lab.read('labels', 100, 180)).toBe(1);
  const { labelled, steps, at } = JSON.parse(await notebook.run(2)) as Record<string, never[]>;
  expect(labelled).toEqual([16, 17, 18, 19, 20, 21]);
  expect(steps).toEqual(['brush', 'brush', 'brush', 'interpolate', 'copy-slice']);
  expect(at!.slice(16)).toEqual([1, 1, 1, 1, 1, 1, 0, 0, 0]);
  await lab.press('Control+z');
  await expect(marks.first()).toHaveAttribute('title', 'Slice 16: labels');
  await expect.poll(() => lab.read('labels', 100, 180)).toBe(0);
});
