/** The processes of a worker's sidecar, for tests that kill them. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serverFolder } from './servers';

/** The sidecar that runs, as its own file says. */
export function sidecarPid(): number {
  const file = join(serverFolder(), 'runtime/sidecar-1.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid;
}

/** The process that runs SAM's encoder. */
export function samChildPid(): number {
  const children = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(sidecarPid())], { encoding: 'utf8' });
  return Number(
    children
      .split('\n')
      .find(line => line.includes('sam-child-process.cjs'))!
      .trim()
      .split(/\s+/)[0]
  );
}
