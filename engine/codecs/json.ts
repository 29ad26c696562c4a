/** SambaLab's own format: everything that a classifier has, as JSON. */
import { decodeClassifier, encodeClassifier } from '../core/classifier';
import { beginsAsJson, IClassifierCodec } from './codec';

export const json: IClassifierCodec = {
  name: 'json',
  title: 'JSON',
  description: 'Complete and readable; loads here and in Python',
  extension: '.json',
  mediaType: 'application/json',
  write: encodeClassifier,
  reads: beginsAsJson,
  read: file => decodeClassifier(file)
};
