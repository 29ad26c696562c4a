/**
 * SAM without a place to run: model manifests, prompts, pre- and post-processing, and the decoder over any ONNX session.
 *
 * The browser and the sidecar run the same code here, so that a suggestion in the page and one in Python are the same
 * pixels. No import of Node, of the page or of an ONNX runtime belongs here; whoever runs a model brings its session.
 */
export * from './decoder';
export * from './float16';
export * from './masks';
export * from './preprocess';
export * from './prompts';
export * from './encoder-windows';
