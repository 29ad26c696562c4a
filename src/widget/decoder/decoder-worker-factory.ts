/** Starts the decoder's worker. Alone in its file since only a bundler for browsers knows what `import.meta.url` is. */
export function createDecoderWorker(): Worker {
  return new Worker(new URL('./decoder.worker.js', import.meta.url), { type: 'module', name: 'sambalab-decoder' });
}
