/** One image, its labels and results in raw files, as both sides see them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { meanIoU } from './processes.mjs';

/** Labelled pixels that a forest takes at most, on both sides. */
export const SAMPLES = 40000;

export class Work {
  /** @param name of the image, and of its folder */
  constructor(folder, service, reference, name) {
    this.folder = join(folder, name);
    mkdirSync(this.folder, { recursive: true });
    Object.assign(this, { service, reference, name });
    this.context = { signal: new AbortController().signal, progress: () => undefined };
    this.keys = 0;
  }

  file(name) {
    return join(this.folder, name);
  }

  /** Have the reference read the image; `percent` of its size on each side, mirrored. */
  async load(percent = 100) {
    const found = await this.reference.ask({ do: 'load', name: this.name, out: this.folder, percent });
    this.shape = [1, ...found.shape];
    this.classes = found.classes;
    this.pixels = found.shape[0] * found.shape[1];
    this.image = this.array('image.raw', 'uint8', [...this.shape, 1]);
    this.truth = readFileSync(this.file('truth.raw'));
    this.forget();
    return this;
  }

  /** Let no feature that was computed be found again. */
  forget() {
    this.keys++;
  }

  get cacheKey() {
    return `${this.name} ${this.keys}`;
  }

  array(name, dtype, shape) {
    return { path: this.file(name), dtype, shape, version: this.keys };
  }

  /** An array for results. */
  result(name, dtype, shape) {
    const bytes = shape.reduce((product, n) => product * n, dtype === 'float32' ? 4 : 1);
    writeFileSync(this.file(name), Buffer.alloc(bytes));
    return this.array(name, dtype, shape);
  }

  /** Draw strokes on the truth, into `labels.raw`. */
  async strokes(seed, strokes = 40, length = 6) {
    return this.reference.ask({ do: 'strokes', name: this.name, seed, strokes, length, radius: 2, out: this.folder });
  }

  async train(forest = {}, features = {}) {
    const start = performance.now();
    this.trained = await this.service.train(
      {
        image: this.image,
        labels: this.array('labels.raw', 'uint8', this.shape),
        classes: this.classes.map(id => ({ id, name: `class ${id}`, color: '#808080' })),
        spec: this.service.featureSpec(features),
        forest: this.service.forestParams({ maxSamples: SAMPLES, ...forest }),
        cacheKey: this.cacheKey
      },
      this.context
    );
    return (performance.now() - start) / 1000;
  }

  /** Segment this image, with its own classifier or another image's. */
  async apply({ json } = this.trained, probabilities = false) {
    const out = { prediction: this.result('prediction.raw', 'uint8', this.shape) };
    if (probabilities) {
      out.probabilities = this.result('probabilities.raw', 'float32', [...this.shape, this.classes.length]);
    }
    const start = performance.now();
    const { image, cacheKey } = this;
    await this.service.apply({ classifier: json, image, slice: 0, out, cacheKey }, this.context);
    return (performance.now() - start) / 1000;
  }

  /** Compute the feature stack into `features.raw`, float32. */
  async features(choice = {}) {
    const spec = this.service.featureSpec(choice);
    const names = this.service.featureNames(spec, 1);
    const out = this.result('features.raw', 'float32', [...this.shape, names.length]);
    const start = performance.now();
    await this.service.features(this.image, 0, spec, out, this.context);
    return { seconds: (performance.now() - start) / 1000, count: names.length };
  }

  iou(name = 'prediction.raw') {
    return meanIoU(readFileSync(this.file(name)), this.truth, this.classes);
  }
}
