/** Arrays change without a call, and never pass through JSON. */
import { expect, test } from '@jupyterlab/galata';
import { GOLD, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

test('lab.labels changes without any call after a stroke, and no array goes through JSON', async ({
  page,
  tmpPath
}) => {
  let largest = 0;
  let binary = 0;
  page.on('websocket', socket => {
    const look = ({ payload }: { payload: string | Buffer }) => {
      if (typeof payload === 'string') {
        largest = Math.max(largest, payload.length);
        return;
      }
      // v1.kernel.websocket.jupyter.org: a count of offsets, the offsets, then channel, header, parent, metadata, content, buffers.
      const count = Number(payload.readBigUInt64LE(0));
      const offset = (i: number) => Number(payload.readBigUInt64LE(8 * (i + 1)));
      const content = payload.subarray(offset(4), offset(5)).toString();
      if (payload.subarray(offset(1), offset(2)).includes('"comm_msg"')) {
        largest = Math.max(largest, content.length);
        // The header of our own protocol is the first buffer.
        if (count > 7) {
          largest = Math.max(largest, offset(6) - offset(5));
        }
        binary += payload.length - offset(5);
      }
    };
    socket.on('framesent', look);
    socket.on('framereceived', look);
  });
  const notebook = await TestNotebook.open(page, `${tmpPath}/arrays.ipynb`, [
    GOLD.setup,
    'lab = sl.Labeller(image, classes=["object", "ground"], name="arrays", fresh=True); lab',
    'labels = lab.labels; print(labels[100, 110])',
    'print(labels[100, 110], labels is lab.labels or bool((labels == lab.labels).all()))',
    'lab.train(); print(lab.segmentation.max())',
    'print(int(lab.labels[200, 210]), lab.set_labels(np.where(np.indices(image.shape)[0] < 50, 2, 0).astype(np.uint8)))'
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  await lab.samReady();
  expect(await notebook.run(2)).toContain('0');
  await lab.press('b');
  await lab.stroke([
    { row: 100, column: 100 },
    { row: 100, column: 120 }
  ]);
  await lab.press('2');
  await lab.stroke([
    { row: 200, column: 200 },
    { row: 200, column: 220 }
  ]);
  await lab.saved();
  expect(await notebook.run(3)).toContain('1 True');
  expect(await notebook.run(4)).toContain('2');
  // Labels that Python writes are shown.
  expect(await notebook.run(5)).toContain('2');
  await expect.poll(() => lab.read('labels', 20, 20)).toBe(2);
  await expect.poll(() => lab.read('labels', 100, 110)).toBe(0);
  await expect.poll(() => lab.read('segmentation', 20, 20), 'labels lie on top of the segmentation').toBe(2);
  expect(binary).toBeGreaterThan(1_000_000);
  expect(largest).toBeLessThan(16_384);
});
