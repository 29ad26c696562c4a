/**
 * The file formats of classifiers.
 *
 * Each format is one file that exports an {@link IClassifierCodec}, and one line in {@link CODECS}. Here belongs what turns a
 * classifier into a file and back; what a classifier is stands in `core/classifier.ts`. Imports `core`, `onnx` and `src/shared`.
 */
import { BridgeError } from '../../src/shared/errors';
import { ForestMeaning } from '../../src/shared/protocol';
import { decodeClassifier, encodeClassifier } from '../core/classifier';
import { IClassifierCodec } from './codec';
import { json } from './json';
import { mlRandomForest } from './ml-random-forest';
import { onnx } from './onnx';

/** All formats. The last that recognises a file reads it, so special formats stand behind general ones: a file of ml-random-forest is JSON, too. */
const CODECS: readonly IClassifierCodec[] = [json, onnx, mlRandomForest];

/** A format as others are told of it. */
export interface IClassifierFormat {
  name: string;
  title: string;
  description: string;
  extension: string;
  mediaType: string;
  /** Whether classifiers are written to such files. */
  writes: boolean;
  /** Whether classifiers are read from such files. */
  reads: boolean;
}

/** The formats that exist. */
export function classifierFormats(): IClassifierFormat[] {
  return CODECS.map(({ name, title, description, extension, mediaType, write, read }) => ({
    name,
    title,
    description,
    extension,
    mediaType,
    writes: write !== undefined,
    reads: read !== undefined
  }));
}

/**
 * One format.
 *
 * @throws BridgeError `invalid` for a format that does not exist, naming those that do
 */
export function classifierFormat(name: string): IClassifierFormat {
  const formats = classifierFormats();
  const found = formats.find(format => format.name === name);
  if (!found) {
    const names = formats.map(format => format.name).join(', ');
    throw new BridgeError('invalid', `There is no classifier format ${name}; the formats are ${names}.`);
  }
  return found;
}

/**
 * Write a classifier in another format.
 *
 * @param classifier its JSON, as {@link encodeClassifier} gives it
 * @throws BridgeError `invalid` for what is no classifier, a format that does not exist or is only read, or a classifier that the format cannot express
 */
export function convertClassifier(classifier: Uint8Array, format: string): Uint8Array {
  const { name } = classifierFormat(format);
  const { write, title } = CODECS.find(codec => codec.name === name)!;
  if (!write) {
    throw new BridgeError('invalid', `SambaLab reads ${title} files, but does not write them.`);
  }
  return write(decodeClassifier(classifier));
}

/**
 * Read a classifier's file, whatever its format.
 *
 * @param meaning features and classes of a foreign forest whose file does not say them
 * @returns the classifier's JSON, checked
 * @throws BridgeError `invalid`, naming what is wrong
 */
export function readClassifier(file: Uint8Array, meaning?: ForestMeaning): Uint8Array {
  const codec = CODECS.filter(({ reads }) => reads?.(file)).pop();
  if (!codec?.read) {
    const titles = CODECS.filter(({ read }) => read).map(({ title }) => title);
    throw new BridgeError(
      'invalid',
      `This is no classifier: it has none of the formats ${titles.join(', ')}, or it was damaged.`
    );
  }
  return encodeClassifier(codec.read(file, meaning));
}
