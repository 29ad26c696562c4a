/** What the machine allows. A test that needs more counts as skipped, not as passed. Not a test. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `it` if a condition holds, else `it.skip`. */
export function itIf(condition: boolean): jest.It {
  return (condition ? it : it.skip) as jest.It;
}

/** Mount an empty file system of `size` ("1m") on a folder. @returns whether that is allowed */
export function mountTmpfs(path: string, size: string): boolean {
  const options = ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'sambalab-test', path];
  return spawnSync('mount', options, { stdio: 'ignore' }).status === 0;
}

/** Whether this user may mount a file system: tests fill small ones. */
export const MAY_MOUNT = tryMount();

export const IS_LINUX = process.platform === 'linux';
export const IS_ROOT = process.getuid?.() === 0;

/** A user without files or rights, as whom root runs a sidecar. */
export const OTHER_USER = 65534;

/** Whether {@link OTHER_USER} may read the project's folder. */
export const MAY_BE_READ =
  IS_ROOT &&
  spawnSync(process.execPath, ['-e', 'require("node:fs").accessSync(process.argv[1])', __filename], {
    uid: OTHER_USER,
    gid: OTHER_USER,
    stdio: 'ignore'
  }).status === 0;

function tryMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'sambalab-mount-'));
  const mounted = mountTmpfs(path, '64k');
  if (mounted) {
    spawnSync('umount', [path]);
  }
  rmSync(path, { recursive: true });
  return mounted;
}
