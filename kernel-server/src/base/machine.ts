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
  // The second field, the program's name, may contain spaces and parentheses. Field 22 is the time.
  return known(
    () =>
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[19]!
  );
}

function known(read: () => string): string | undefined {
  try {
    return read().trim() || undefined;
  } catch {
    return undefined;
  }
}
