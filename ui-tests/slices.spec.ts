/** A stack: what goes over the websocket when a slice is shown again. */
import { expect, test } from '@jupyterlab/galata';
import { GOLD, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

const HOLE = { row: 90, column: 150 };

test('Going back to a slice transfers nothing, and suggestions are there at once', async ({ page, tmpPath }) => {
  /** Bytes of the comm messages of labellers, and the protocol's methods and events that they name. */
  let traffic = { bytes: 0, names: [] as string[] };
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
lab = sl.Labeller(stack, classes=["hole", "ground"], name="slices", fresh=True); lab`
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
  await page.waitForTimeout(2000); // background work after the visit ends
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
  expect(traffic.names.filter(name => name.startsWith('sam.'))).toEqual([]);
  expect(traffic.bytes).toBe(0);
});
