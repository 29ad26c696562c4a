/**
 * `npm run bench [-- section…] [--json] [--seeds N] [--quick]`: set up what is missing, then compare the engine with the reference
 * (`benchmarks/bench.mjs`).
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { main, root, setup } from './setup.mjs';

await main(async () => {
  await setup();
  // Python starts the sidecar with this flag too: V8 does not count memory that threads share, so the engine calls the collector itself.
  const args = ['--expose-gc', join(root, 'benchmarks/bench.mjs'), ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
});
