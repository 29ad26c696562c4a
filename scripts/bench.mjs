/**
 * `npm run bench [-- section…] [--json] [--seeds N]`: set up what is missing, then measure ours against the reference
 * (`benchmarks/bench.mjs`).
 */
import { main, setup } from './setup.mjs';

await main(async () => {
  await setup();
  await import('../benchmarks/bench.mjs');
});
