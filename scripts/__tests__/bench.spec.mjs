/** Benchmarks call the engine by names that no type checker sees here; this shows that they still fit. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '../..');

describe('npm run bench', () => {
  it('times growing, and a stroke to its segmentation, on both sides', () => {
    const sections = ['grow', 'stroke'];
    const args = [join(root, 'benchmarks/bench.mjs'), ...sections, '--quick', '--json'];
    const rows = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
    const times = rows.filter(({ unit }) => unit === 's');
    expect([...new Set(times.map(({ section }) => section))]).toEqual(sections);
    times.forEach(({ ours, reference }) => {
      expect(ours).toBeGreaterThan(0);
      expect(reference).toBeGreaterThan(0);
    });
  }, 300_000);
});
