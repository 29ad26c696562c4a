/** Starts a worker that shares a decode. In a file of its own, since only a bundler for browsers understands `import.meta.url`. */
export function createPartWorker(): Worker {
  return new Worker(new URL('./part.worker.js', import.meta.url), { type: 'module', name: 'sambalab-decoder-part' });
}
