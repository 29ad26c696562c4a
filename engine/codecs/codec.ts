/** The interface of a format of classifier files. Each format is one file of this folder; `index.ts` registers it. */
import { ForestMeaning } from '../../src/shared/protocol';
import { IClassifier } from '../core/classifier';

/** A file format of classifiers. */
export interface IClassifierCodec {
  /** Its name in the protocol and in Python. */
  name: string;
  /** Its name for users, a word or two. */
  title: string;
  /** Its purpose, in a sentence for a tooltip. */
  description: string;
  /** With its dot: '.json'. */
  extension: string;
  mediaType: string;
  /** The classifier as a file. Throws BridgeError `invalid` for what the format cannot express. */
  write?: (classifier: IClassifier) => Uint8Array;
  /** Whether a file has this format, judged by how it begins. */
  reads?: (file: Uint8Array) => boolean;
  /**
   * The classifier of a file, checked. Throws BridgeError `invalid` naming what is wrong.
   *
   * @param meaning features and classes, for formats whose files may not say them
   */
  read?: (file: Uint8Array, meaning?: ForestMeaning) => IClassifier;
}

/** Bytes that may stand before a JSON object: a byte order mark, tab, line feed, carriage return, space. */
const BLANK = new Set([0xef, 0xbb, 0xbf, 0x09, 0x0a, 0x0d, 0x20]);
const BRACE = 0x7b;

/** Whether a file begins as a JSON object does. */
export function beginsAsJson(file: Uint8Array): boolean {
  return file.subarray(0, 1000).find(byte => !BLANK.has(byte)) === BRACE;
}
