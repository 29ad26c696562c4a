/**
 * Installs a kernel with ipykernel 6, which has no subshells, before the UI tests.
 * The old ipykernel lies in a folder of its own that comes first on the kernel's path; all other packages are the environment's.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { serverFolder, WORKERS } from './servers';

/** The name of the kernel with ipykernel 6. */
export const OLD_KERNEL = 'ipykernel6';

const VERSION = '6.31.0';

export default function makeOldKernel(): void {
  const target = resolve(__dirname, '../.cache', `ipykernel-${VERSION}`);
  if (!existsSync(join(target, 'ipykernel_launcher.py'))) {
    execFileSync('python', [
      ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'],
      ...['--target', target, `ipykernel==${VERSION}`]
    ]);
  }
  const spec = {
    argv: ['python', '-m', 'ipykernel_launcher', '-f', '{connection_file}'],
    display_name: `Python 3 (ipykernel ${VERSION})`,
    language: 'python',
    env: { PYTHONPATH: target }
  };
  for (let worker = 0; worker < WORKERS; worker++) {
    const folder = join(serverFolder(worker), 'jupyter/kernels', OLD_KERNEL);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'kernel.json'), JSON.stringify(spec));
  }
}
