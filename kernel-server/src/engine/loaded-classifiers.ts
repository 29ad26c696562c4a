/** The classifiers used last, decoded and packed for the worker threads, so that applying one again decodes nothing. */
import * as engine from '../../../engine';
import { AnyClassifier } from '../jobs/services';
import { ICutPart, nameCuts, partsOf } from './feature-tiles';

/** Number of classifiers that stay loaded. */
const LOADED_MAX = 4;

/** A classifier, decoded and packed. */
export interface ILoadedClassifier {
  /** Number by which the worker threads recognise the classifier. */
  job: number;
  classifier: engine.IClassifier;
  /** Its features with its cuts. */
  parts: ICutPart[];
  forest: engine.IPackedForest;
  /** Its JSON; absent until it is needed. */
  bytes?: Buffer;
}

export class LoadedClassifiers {
  constructor(options: LoadedClassifiers.IOptions) {
    this._compiled = options.compiled;
    this._nextJob = options.nextJob;
  }

  /**
   * Find a classifier that training returned, or read it from its JSON.
   *
   * @throws BridgeError if the JSON is not a valid classifier.
   */
  load(classifier: AnyClassifier): ILoadedClassifier {
    const known = this._trained.get(classifier);
    if (known) {
      return known;
    }
    const json = 'json' in classifier ? classifier.json : classifier;
    const found = this._loaded.find(({ bytes }) => bytes?.equals(json));
    if (found) {
      return found;
    }
    const read = engine.decodeClassifier(json);
    let first = 0;
    const parts = partsOf(read.features, read.channels, read.basis).map(part => {
      const cuts = nameCuts(new engine.Cuts(read.cuts.features.slice(first, (first += part.features))));
      return { ...part, cuts };
    });
    const loaded = this.add(read, parts);
    loaded.bytes = Buffer.from(json);
    return loaded;
  }

  /** Pack a classifier for the threads and keep it among the latest. */
  add(classifier: engine.IClassifier, parts: ICutPart[]): ILoadedClassifier {
    const { trees, names, classes } = classifier;
    const forest = engine.packForest(
      new engine.Engine(this._compiled),
      trees,
      names.length,
      classes.length,
      classifier.scale
    );
    const loaded: ILoadedClassifier = { job: this._nextJob(), classifier, parts, forest };
    this._loaded.unshift(loaded);
    this._loaded.splice(LOADED_MAX);
    return loaded;
  }

  /** Let {@link load} find the classifier by what training returned, as long as that is in use. */
  link(trained: AnyClassifier, loaded: ILoadedClassifier): void {
    this._trained.set(trained, loaded);
  }

  private readonly _compiled: WebAssembly.Module;
  private readonly _nextJob: () => number;
  private readonly _loaded: ILoadedClassifier[] = [];
  private readonly _trained = new WeakMap<AnyClassifier, ILoadedClassifier>();
}

/** The namespace for {@link LoadedClassifiers}. */
export namespace LoadedClassifiers {
  export interface IOptions {
    compiled: WebAssembly.Module;
    /** Gives a number that no other job of the pool has. */
    nextJob(): number;
  }
}
