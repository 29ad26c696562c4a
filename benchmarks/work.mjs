/** One image, its labels and its results, in raw files that both sides read and write. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { meanIoU } from './processes.mjs';

const keyOf = (spec, basis) =>
  JSON.stringify([
    spec,
    basis && basis.layers.map(({ matrix }) => Buffer.from(matrix.slice().buffer).toString('base64'))
  ]);

/** The most labelled pixels that a forest takes, on both sides. */
export const SAMPLES = 40000;

export class Work {
  /** @param name of the image, and of its folder */
  constructor({ folder, service, sam, reference }, name) {
    this.folder = join(folder, name);
    mkdirSync(this.folder, { recursive: true });
    Object.assign(this, { service, sam, reference, name });
    this.context = { signal: new AbortController().signal, progress: () => undefined };
    this.keys = 0;
  }

  file(name) {
    return join(this.folder, name);
  }

  /** Let the reference read the image, mirrored to `percent` of its size on each side. */
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

  /** Make all features be computed anew. */
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

  /** The embedding of this image under a spec, and under a classifier's basis if one is given. */
  async embedding(spec, basis = null) {
    if (!spec.embedding) {
      return undefined;
    }
    const key = keyOf(spec.embedding, basis);
    this.embeddings ??= new Map();
    if (!this.embeddings.has(key)) {
      const display = { low: 0, high: 255 };
      const { basis: own, maps } = await this.sam.reduceAll(
        this.image,
        display,
        0,
        spec.embedding,
        basis,
        this.context
      );
      const reduced = { basis: own, slice: async () => maps };
      // A classifier that was trained here is applied under the basis that was fitted here.
      [key, keyOf(spec.embedding, own)].forEach(each => this.embeddings.set(each, reduced));
    }
    return this.embeddings.get(key);
  }

  /** A spec for images of this size. */
  spec(choice) {
    const spec = this.service.featureSpec(choice);
    const window = Math.min(1024, Math.max(128, ...this.shape));
    return spec.embedding ? { ...spec, embedding: { ...spec.embedding, window } } : spec;
  }

  /** Train on `labels.raw`, with the default features and preset if none are given. @returns seconds, without the encoder's */
  async train(forest = {}, features = {}) {
    const spec = this.spec(features);
    const embedding = await this.embedding(spec);
    const start = performance.now();
    const trained = await this.service.train(
      {
        image: this.image,
        labels: this.array('labels.raw', 'uint8', this.shape),
        classes: this.classes.map(id => ({ id, name: `class ${id}`, color: '#808080' })),
        spec,
        ...(embedding && { embedding }),
        forest: this.service.learnerParams({ maxSamples: SAMPLES, ...forest }),
        cacheKey: this.cacheKey
      },
      this.context
    );
    this.trained = Object.assign(trained, { spec });
    return (performance.now() - start) / 1000;
  }

  /** Segment this image, with its own classifier or another image's. */
  async apply(trained = this.trained, probabilities = false, uncertainty = false) {
    const out = { prediction: this.result('prediction.raw', 'uint8', this.shape) };
    if (probabilities) {
      out.probabilities = this.result('probabilities.raw', 'float32', [...this.shape, this.classes.length]);
    }
    if (uncertainty) {
      out.uncertainty = this.result('uncertainty.raw', 'float32', this.shape);
    }
    const { image, cacheKey } = this;
    const embedding = await this.embedding(trained.spec, this.service.basisOf(trained));
    const start = performance.now();
    const request = { classifier: trained, image, slice: 0, out, cacheKey, ...(embedding && { embedding }) };
    await this.service.apply(request, this.context);
    return (performance.now() - start) / 1000;
  }

  /** Compute the feature stack into `features.raw`, float32. The encoder runs before the clock starts. */
  async features(choice = {}) {
    const spec = this.spec(choice);
    const embedding = await this.embedding(spec);
    const names = this.service.featureNames(spec, 1);
    const out = this.result('features.raw', 'float32', [...this.shape, names.length]);
    const start = performance.now();
    await this.service.features(this.image, 0, spec, out, this.context, embedding);
    return { seconds: (performance.now() - start) / 1000, count: names.length };
  }

  iou(name = 'prediction.raw') {
    return meanIoU(readFileSync(this.file(name)), this.truth, this.classes);
  }
}
