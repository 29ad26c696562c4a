/** Circles of files: A imports B, …, and that imports A. Nothing may stand in one; `scripts/__tests__/circles.spec.mjs` looks for them. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** Relative paths in `import … from './x'`, `export … from './x'`, `import './x'` and `import('./x')`, imports of types included. */
const IMPORT = /^(?:import|export)\b[^;'"]*['"](\.[^'"]*)['"]|\bimport\(\s*['"](\.[^'"]*)['"]/gm;

/**
 * Find circles among the TypeScript files of folders; tests are free.
 *
 * @param root folder that the paths count from
 * @param folders paths of folders
 * @returns one line a circle: 'a.ts → b.ts → a.ts'
 */
export function findCircles(root, folders) {
  const paths = folders
    .flatMap(folder => readdirSync(join(root, folder), { recursive: true }).map(path => resolve(root, folder, path)))
    .filter(path => path.endsWith('.ts') && !path.includes('__tests__'));
  const imports = importsOf(new Set(paths));
  const circles = [];
  const done = new Set();
  const way = [];
  const visit = path => {
    const first = way.indexOf(path);
    if (first >= 0) {
      circles.push([...way.slice(first), path].map(file => relative(root, file)).join(' → '));
    } else if (!done.has(path)) {
      way.push(path);
      imports.get(path).forEach(visit);
      way.pop();
      done.add(path);
    }
  };
  paths.forEach(visit);
  return circles;
}

/** The files that each file imports. */
function importsOf(paths) {
  const fileOf = path => [`${path}.ts`, join(path, 'index.ts')].find(file => paths.has(file));
  return new Map(
    [...paths].map(path => {
      const found = [...readFileSync(path, 'utf8').matchAll(IMPORT)];
      return [
        path,
        found.map(([, to, later]) => fileOf(resolve(dirname(path), to ?? later))).filter(file => file !== undefined)
      ];
    })
  );
}
