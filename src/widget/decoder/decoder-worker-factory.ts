/** Starts the decoder's worker. In a file of its own, since only a bundler for browsers understands `import.meta.url`. */
export function createDecoderWorker(): Worker {
  return new Worker(new URL('./decoder.worker.js', import.meta.url), { type: 'module', name: 'sambalab-decoder' });
}
