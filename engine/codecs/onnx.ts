/** ONNX models (`engine/onnx`) that carry the classifier's JSON in their metadata. */
import { decodeClassifier } from '../core/classifier';
import { classifierOfOnnx, encodeOnnx, isOnnx } from '../onnx';
import { IClassifierCodec } from './codec';

export const onnx: IClassifierCodec = {
  name: 'onnx',
  title: 'ONNX',
  description: 'Features and forest in one graph, which other programs can run',
  extension: '.onnx',
  mediaType: 'application/octet-stream',
  write: encodeOnnx,
  reads: isOnnx,
  read: file => decodeClassifier(classifierOfOnnx(file))
};
