/** Starts the decoder's worker for the GPU. In a file of its own, since only a bundler for browsers understands `import.meta.url`. */
export function createGpuWorker(): Worker {
  return new Worker(new URL('./gpu.worker.js', import.meta.url), { type: 'module', name: 'sambalab-decoder-gpu' });
}
