/**
 * SAM's decoder on the browser's GPU, which is SwiftShader here: a model of random weights that suggests discs, since SAM's own decoder takes half a minute on
 * it. The masks are compared with those of WebAssembly before any is shown.
 */
import { join } from 'node:path';
import { expect, test } from '@jupyterlab/galata';
import { writeRandomModel } from '../kernel-server/src/__tests__/support/random-model';
import { findPromptModel } from '../src/shared/models';
import type { IDebugHandle } from '../src/widget/frame/debug';
import { browser } from './browser';
import { LabellerPage, PARTICLES } from './labeller';
import { TestNotebook } from './notebook';
import { serverFolder } from './servers';

type Handled = HTMLElement & { sambalab: IDebugHandle };

test.use({ launchOptions: browser('software'), mockSettings: { 'sambalab:widget': { decoderRoute: 'gpu' } } });

test('Suggestions are decoded on the GPU of the browser, once its masks are those of WebAssembly', async ({
  page,
  tmpPath
}) => {
  const folder = writeRandomModel(join(serverFolder(), 'gpu-models'), findPromptModel('sam2.1-tiny')!);
  const notebook = await TestNotebook.open(page, `${tmpPath}/gpu.ipynb`, [
    PARTICLES.setup,
    `lab = sl.Labeller(image, classes=["particle", "matrix"], sam_model=${JSON.stringify(folder)}, fresh=True); lab`,
    ''
  ]);
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);
  await lab.samReady();
  const routes = () => lab.root.evaluate(element => (element as Handled).sambalab.decoderRoutes);
  // The page answers until the GPU may.
  await lab.moveTo(200, 200);
  const before = await lab.suggestionAt(200, 200);
  await expect.poll(async () => (await routes())?.problems.gpu, { timeout: 90_000 }).toBeNull();
  await lab.moveTo(260, 300);
  const after = await lab.suggestionAt(260, 300);
  await expect.poll(async () => (await routes())?.answers.gpu).toBeGreaterThan(1);
  expect((await routes())?.serving).toBe('gpu');
  expect(after.covers(260, 300)).toBe(true);
  expect(Math.abs(after.count / before.count - 1)).toBeLessThan(0.02);
  await expect(lab.root.getByTestId('sambalab-status')).toHaveAttribute('title', /decoded on the browser's GPU/);
});
