/** A 16-bit image of 8192 × 8192 pixels: SAMBA's features and forest, the whole segmentation, and the peak of memory. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { forgetPeak, peakOf } from './processes.mjs';
import { Work } from './work.mjs';

const SIDE = 8192;
const SAMBA = [{ preset: 'samba' }, { set: 'samba' }];

export async function memory(bench) {
  const work = new Work(bench, 'large');
  work.shape = [1, SIDE, SIDE];
  work.classes = [1, 2, 3];
  await bench.reference.ask({ do: 'large', side: SIDE, out: work.folder });
  work.image = work.array('image.raw', 'uint16', [...work.shape, 1]);
  forgetPeak(process.pid);
  const cancelled = await cancelTraining(work);
  const seconds = { train: await work.train(...SAMBA) };
  seconds.apply = await applyAll(work);
  const peak = peakOf(process.pid);
  const megapixels = `${SIDE}² of 16 bits`;
  bench.report('memory', `${megapixels}: features and training`, seconds.train, null, 's');
  bench.report('memory', `${megapixels}: segmentation, probabilities and uncertainty`, seconds.apply, null, 's');
  bench.report('memory', `${megapixels}: from cancelling to its answer`, cancelled, null, 's');
  if (peak !== null) {
    bench.report('memory', `${megapixels}: peak of the resident set`, peak, null, 'MB');
  }
}

/** Begin a training and cancel it while features are computed. @returns seconds until the cancel is answered */
async function cancelTraining(work) {
  const controller = new AbortController();
  const { context } = work;
  let asked = 0;
  const progress = (stage, done) => {
    if (!asked && stage === 'features' && done >= 2) {
      asked = performance.now();
      controller.abort();
    }
  };
  work.context = { signal: controller.signal, progress };
  await work.train(...SAMBA).catch(() => undefined);
  work.context = context;
  return (performance.now() - asked) / 1000;
}

async function applyAll(work) {
  const sparse = (name, dtype, shape) => {
    const bytes = shape.reduce((product, n) => product * n, dtype === 'float32' ? 4 : 1);
    const file = openSync(join(work.folder, name), 'w');
    writeSync(file, Buffer.alloc(1), 0, 1, bytes - 1);
    closeSync(file);
    return work.array(name, dtype, shape);
  };
  const out = {
    prediction: sparse('prediction.raw', 'uint8', work.shape),
    probabilities: sparse('probabilities.raw', 'float32', [...work.shape, work.classes.length]),
    uncertainty: sparse('uncertainty.raw', 'float32', work.shape)
  };
  const start = performance.now();
  const { image, cacheKey } = work;
  await work.service.apply({ classifier: work.trained.json, image, slice: 0, out, cacheKey }, work.context);
  return (performance.now() - start) / 1000;
}
