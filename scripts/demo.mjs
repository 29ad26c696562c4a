/**
 * `npm run demo`: execute the quickstart notebook without a browser, with labels from a script; then segment a synthetic
 * micrograph from a few strokes and compare it with its exact truth. Results are in examples/out.
 */
import { environment, main, python, run, setup } from './setup.mjs';

await main(async args => {
  await setup();
  run(python, ['examples/demo.py', ...args], { env: environment() });
});
