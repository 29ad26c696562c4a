/**
 * `npm run bench [-- section…] [--json] [--seeds N]`: set up what is missing, then measure ours against the reference
 * (`benchmarks/bench.mjs`).
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { main, root, setup } from './setup.mjs';

await main(async () => {
  await setup();
  // As Python starts the sidecar: V8 does not count the memory that threads share, so the engine asks it to collect.
  const args = ['--expose-gc', join(root, 'benchmarks/bench.mjs'), ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
});
