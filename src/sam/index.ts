/**
 * SAM's pre- and post-processing, and its decoder over any ONNX session. The browser and the sidecar run the same code, so that a suggestion in
 * the page and one in Python are the same pixels.
 *
 * preprocess.ts       pixels to the encoder's input
 * encoder-windows.ts  the windows in which the encoder sees a large image, and how their layers are blended
 * prompt-windows.ts   the windows in which the encoder sees a part of an image for prompts
 * prompts.ts          points and boxes to the decoder's input
 * decoder.ts          the decoder's graph: prompts and an embedding in, low-resolution masks and their scores out
 * wasm-decoder.ts     the same on our own kernels, faster; decoder-weights.ts reads its weights, folded-weights.ts folds them
 * decoder-parts.ts    how several instances of it share a decode; mask-convolutions.ts brings a mask prompt to the grid of places
 * masks.ts            low-resolution masks to pixels
 * edge-refinement.ts  a mask's border moved to the edges of the image
 * prompt-grid.ts      answers to a grid of points, decoded ahead in idle time
 * mask-traits.ts      what a mask is judged by
 * scale-choice.ts     which of the scales to show first
 * mask-shape.ts       a mask's connected part, holes, smooth border, grown
 * shaped-mask.ts      the pixels of a mask in a shape
 * carry.ts            an object carried from slice to slice
 * given-objects.ts   objects of an array, as SAM draws them
 * sample-greys.ts     an image's greys at the samples of masks
 * similar.ts          objects like one that was accepted
 * similar-windows.ts  … in windows of an image of any size
 * float16.ts          the form in which embeddings travel to the browser
 * packed-logits.ts    the form in which masks do
 *
 * Imports `src/shared` (the manifests of models are there) and no Node, page or ONNX runtime: the caller brings the runtime's session.
 */
export * from './decoder';
export * from './float16';
export * from './packed-logits';
export * from './mask-shape';
export * from './masks';
export * from './preprocess';
export * from './prompts';
export * from './mask-traits';
export * from './scale-choice';
export * from './edge-refinement';
export * from './shaped-mask';
export * from './encoder-windows';
export * from './decoder-parts';
export * from './wasm-decoder';
export * from './prompt-grid';
export * from './prompt-windows';
export * from './sample-greys';
export * from './similar';
export * from './similar-windows';
export * from './carry';
export * from './given-objects';
