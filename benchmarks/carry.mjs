/** Objects carried through a stack whose truth is known (`carry.py`), through Python and a sidecar of its own. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { mean, pythonPath, root } from './processes.mjs';

export async function carry(bench) {
  const folders = {
    SAMBALAB_RUNTIME_DIR: join(bench.folder, 'runtime'),
    SAMBALAB_DATA_DIR: join(bench.folder, 'data')
  };
  Object.values(folders).forEach(folder => mkdirSync(folder, { mode: 0o700 }));
  const env = { ...process.env, ...folders, PYTHONPATH: root, SAMBALAB_IDLE_TIMEOUT: '5' };
  const { status, stdout } = spawnSync(pythonPath(), [join(root, 'benchmarks/carry.py')], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit']
  });
  if (status !== 0) {
    throw new Error(`carry.py ended with ${status}.`);
  }
  const { objects, early, overlaps } = JSON.parse(stdout.trim().split('\n').at(-1));
  bench.report('carry', 'objects', objects, null, 'objects');
  bench.report('carry', 'ends that come early, mean', mean(early), null, 'slices');
  bench.report(
    'carry',
    'ends that come late, of all',
    early.filter(slices => slices < 0).length / early.length,
    null,
    'part'
  );
  for (const [distance, values] of Object.entries(overlaps)) {
    bench.report('carry', `${distance} slices from the click, ${values.length} masks`, mean(values), null, 'IoU');
  }
}
