/**
 * Measures painting in the real page: from a pointer's event to the frame with its pixels, from a stroke to its acknowledgement,
 * bytes for each stroke, and the memory of page and sidecar. `npm run measure -- painting` prints the figures.
 */
import { readdirSync, statSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { IJupyterLabPageFixture, test } from '@jupyterlab/galata';
import { IPixel, LabellerPage } from './labeller';
import { tellMemory } from './memory';
import { TestNotebook } from './notebook';
import { serverFolder } from './servers';

const SETUP = `
import numpy as np, sambalab as sl
def noise(side):
    tile = np.random.default_rng(0).integers(0, 65536, (1024, 1024), dtype=np.uint16)
    return np.tile(tile, (side // 1024, side // 1024))`;

/** Strokes of one measurement, and moves of the pointer in each. */
const STROKES = 15;
const MOVES = 24;

type Recorder = { painting: { times: number[]; own: number[] } };

/** A figure of sorted or unsorted numbers. */
function at(numbers: readonly number[], fraction: number): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? NaN).toFixed(1);
}

/**
 * Record, for each move of a pressed pointer, the milliseconds to the end of the frame that shows it: from its event, and from when
 * the page was given it. The browser keeps moves until a frame begins.
 */
async function record(page: IJupyterLabPageFixture): Promise<void> {
  await page.evaluate(() => {
    const painting = { times: [] as number[], own: [] as number[] };
    Object.assign(window, { painting });
    window.addEventListener(
      'pointermove',
      event => {
        if (event.buttons === 1) {
          const handled = performance.now();
          const first = event.getCoalescedEvents()[0]?.timeStamp ?? event.timeStamp;
          requestAnimationFrame(() => {
            // A message comes after the frame is laid out and painted.
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => {
              const now = performance.now();
              painting.times.push(now - first);
              painting.own.push(now - handled);
            };
            port2.postMessage(null);
          });
        }
      },
      true
    );
  });
}

async function draw(page: IJupyterLabPageFixture, from: { x: number; y: number }, moves: number): Promise<void> {
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  for (let i = 1; i <= moves; i++) {
    await page.mouse.move(from.x + 6 * i, from.y + 20 * Math.sin(i / 3));
    await new Promise(resolve => setTimeout(resolve, 8));
  }
  await page.mouse.up();
}

/** Bytes of all journals of the worker's sidecar. */
function journals(folder = join(serverFolder(), 'data')): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('labels.journal'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

for (const [side, views] of [
  [1024, ['whole']],
  [16384, ['whole', '1:1']]
] as const) {
  test(`Painting on ${side} × ${side} pixels`, async ({ page, tmpPath }) => {
    test.setTimeout(600_000);
    let sent = 0;
    page.on('websocket', socket => socket.on('framesent', ({ payload }) => (sent += payload.length)));
    const cell = `lab = sl.Labeller(noise(${side}), classes=["a", "b"], name="painting ${side}", fresh=True); lab`;
    const notebook = await TestNotebook.open(page, `${tmpPath}/painting.ipynb`, [SETUP, cell]);
    await notebook.run(0);
    await notebook.run(1);
    const lab = await LabellerPage.in(page);
    await lab.samReady();
    await lab.root.getByTestId('sambalab-overlap-over').click();
    await lab.press('b');
    await record(page);
    const middle = { row: side / 2, column: side / 2 };
    if (side > 1024) {
      await tellMemory(page, 'before');
    }
    const place = async ({ row, column }: IPixel) => lab.at({ row, column });
    for (const view of views) {
      await lab.press('0');
      for (let i = 0; view === '1:1' && i < 20 && (await lab.scale()) < 0.9; i++) {
        await page.keyboard.press('+');
      }
      for (const brush of [5, 50, 500]) {
        await setBrush(page, brush);
        await lab.saved();
        await page.evaluate(() => {
          const { painting } = window as unknown as Recorder;
          painting.times.length = painting.own.length = 0;
        });
        const before = { sent, journal: journals(), strokes: (await lab.times()).length };
        const centre = await place(middle);
        for (let stroke = 0; stroke < STROKES; stroke++) {
          await lab.press(stroke % 2 ? '1' : '2');
          await draw(page, { x: centre.x - 130 + 8 * stroke, y: centre.y - 120 + 16 * stroke }, MOVES);
        }
        await lab.saved();
        const { times, own } = await page.evaluate(() => (window as unknown as Recorder).painting);
        const trips = (await lab.times())
          .slice(-STROKES)
          .map(({ committed, acknowledged }) => (acknowledged ?? NaN) - committed);
        console.log(
          `${side}², ${view} (${((await lab.scale()) * 100).toFixed(0)} %), brush ${brush} px: ` +
            `to the frame ${at(times, 0.5)} ms median, ${at(times, 0.95)} ms p95 of ${times.length}, ` +
            `of which the page's own ${at(own, 0.5)} ms median, ${at(own, 0.95)} ms p95; ` +
            `acknowledged ${at(trips, 0.5)} ms median, ${at(trips, 0.95)} ms p95; ` +
            `${Math.round((sent - before.sent) / STROKES)} bytes sent, ${Math.round((journals() - before.journal) / STROKES)} bytes journal a stroke; ` +
            `longest drawing ${(await lab.load()).longestDraw.toFixed(0)} ms; load ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores`
        );
      }
    }
    if (side > 1024) {
      await setBrush(page, 50);
      const before = journals();
      for (let stroke = 0; stroke < 500; stroke++) {
        if (stroke % 50 === 0) {
          // Elsewhere in the image.
          await lab.press('0');
          const to = await place({ row: (side * (1 + (stroke % 7))) / 8, column: (side * (1 + (stroke % 5))) / 6 });
          await page.mouse.move(to.x, to.y);
          for (let i = 0; i < 12 && (await lab.scale()) < 0.5; i++) {
            await page.mouse.wheel(0, -280);
          }
        }
        const { x, y } = (await lab.root.locator('canvas').first().boundingBox())!;
        await draw(page, { x: x + 40 + ((stroke * 37) % 300), y: y + 40 + ((stroke * 53) % 300) }, 4);
      }
      await lab.saved(60_000);
      console.log(`500 strokes: ${Math.round((journals() - before) / 500)} bytes journal a stroke`);
      await tellMemory(page, 'after 500 strokes');
    }
  });
}

async function setBrush(page: IJupyterLabPageFixture, brushSize: number): Promise<void> {
  await page.evaluate(async value => {
    const registry = (await window.galata.getPlugin('@jupyterlab/apputils-extension:settings')) as unknown as {
      set(plugin: string, key: string, value: unknown): Promise<void>;
    };
    await registry.set('sambalab:widget', 'brushSize', value);
  }, brushSize);
}
