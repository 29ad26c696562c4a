/**
 * Which computer this is, and which of its processes. Two computers may share a home and even a host's name, and two containers of one
 * computer number their processes separately. Python computes {@link machine} the same way (`sidecar_client/machine.py`).
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Differs between two starts of a computer, and between two computers; `undefined` if the system does not tell. */
export const boot = known(() =>
  process.platform === 'darwin'
    ? execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], {
        stdio: ['ignore', 'pipe', 'ignore']
      }).toString()
    : readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')
);

/** Processes that see each other have the same; `undefined` where all processes do. */
const namespace = known(() => readlinkSync('/proc/self/ns/pid'));

/** Processes of the same machine can signal each other and share memory. */
export const machine = boot ? [boot, namespace].filter(Boolean).join(' ') : hostname();

/** When a process started, in the system's own units; `undefined` if there is no such process, or the system does not tell. */
export function startOf(pid: number): string | undefined {
  return known(() => fieldsOf(pid)[19]!);
}

/**
 * Whether a process of this user and machine runs.
 *
 * @param started its {@link startOf}; then another process that got the number of one that ended does not count
 */
export function runs(pid: number, started?: string): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false; // there is none, or another user's
  }
  // One that has ended keeps its number until its parent, which in a container may never do so, takes note.
  const ended = known(() => fieldsOf(pid)[0]!) === 'Z';
  return !ended && (started === undefined || startOf(pid) === started);
}

/** The fields of a process's status from the third on. The second, the program's name, may contain spaces and parentheses. */
function fieldsOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
}

function known(read: () => string): string | undefined {
  try {
    return read().trim() || undefined;
  } catch {
    return undefined;
  }
}
