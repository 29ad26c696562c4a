/** The files that a classifier is written to and read from, told apart by what they contain. */
import { ClassifierFormat, ForestMeaning } from '../../src/shared/protocol';
import { decodeClassifier, encodeClassifier } from '../core/classifier';
import { decodeMlRandomForest, encodeMlRandomForest, isMlRandomForest } from './ml-random-forest';
import { classifierOfOnnx, encodeOnnx } from '../onnx';

/** Signs that may stand before a JSON object: a byte order mark, tab, line feed, carriage return, space. */
const BLANK = new Set([0xef, 0xbb, 0xbf, 0x09, 0x0a, 0x0d, 0x20]);
const BRACE = 0x7b;

/**
 * Write a classifier in another form.
 *
 * @param json the classifier, as {@link encodeClassifier} gave it
 * @throws BridgeError `invalid` for what is no classifier, or what that form cannot express
 */
export function convertClassifier(json: Uint8Array, format: ClassifierFormat): Uint8Array {
  const classifier = decodeClassifier(json);
  switch (format) {
    case 'json':
      return encodeClassifier(classifier);
    case 'onnx':
      return encodeOnnx(classifier);
    case 'ml-random-forest':
      return encodeMlRandomForest(classifier);
  }
}

/**
 * Read a classifier's file of any form: JSON, an ONNX model with a classifier in its metadata, or a forest of ml-random-forest that says which features and
 * classes it is for.
 *
 * @param meaning what a forest of ml-random-forest is for that does not say so
 * @returns the classifier's JSON, checked
 * @throws BridgeError `invalid`, naming what is wrong
 */
export function readClassifier(file: Uint8Array, meaning?: ForestMeaning): Uint8Array {
  const first = file.subarray(0, 1000).find(byte => !BLANK.has(byte));
  // An ONNX model begins with the number of a field, which is no brace.
  const json = first === BRACE || first === undefined ? file : classifierOfOnnx(file);
  return encodeClassifier(isMlRandomForest(json) ? decodeMlRandomForest(json, meaning) : decodeClassifier(json));
}
