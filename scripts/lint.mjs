/** `npm run lint`: Prettier, eslint, TypeScript, ruff, mypy and import-linter. All run even if one fails; the exit code counts failures. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { environment, main, python, root, say, setup } from './setup.mjs';

const modules = join(root, 'node_modules');

/** The checks, by name. */
export const checks = {
  prettier: [process.execPath, [join(modules, 'prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.']],
  eslint: [process.execPath, [join(modules, 'eslint/bin/eslint.js'), '--max-warnings=0', '.']],
  typescript: [process.execPath, [join(modules, 'typescript/bin/tsc'), '-p', 'tsconfig.check.json']],
  ruff: [python, ['-m', 'ruff', 'check', '.']],
  'ruff format': [python, ['-m', 'ruff', 'format', '--check', '.']],
  mypy: [python, ['-m', 'mypy']],
  'import-linter': [python, ['-c', 'from importlinter.cli import lint_imports_command as lint; lint()', '--no-cache']]
};

/** Run every check and return the names of those that failed. */
export function lint() {
  return Object.entries(checks).flatMap(([name, [command, args]]) => {
    say(`lint: ${name} …`);
    const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: environment() });
    return status === 0 ? [] : [name];
  });
}

if (process.argv[1] && import.meta.url.endsWith('/lint.mjs') && process.argv[1].endsWith('lint.mjs')) {
  await main(async () => {
    await setup();
    const failed = lint();
    say(failed.length ? `lint: failed: ${failed.join(', ')}` : 'lint: no problems');
    process.exitCode = failed.length;
  });
}
