/**
 * The import walls: which folder may import which. `npm run lint` fails on an import that climbs over one, whatever its form: static,
 * dynamic, of types alone, or `require`.
 *
 * Between the parts, the table {@link PARTS} says what each may import. Inside a part with folders, {@link FLOORS} lists the folders
 * from top to bottom: each may import the folders below it, and no folder imports the files beside the folders. A folder that is not in
 * the tables is an error as well. Tests are free. Python's walls are in pyproject.toml (`[tool.importlinter]`).
 */
import { dirname, posix, sep } from 'node:path';

/** For each part: the parts and the packages (as regular expressions) that it may import. */
const PARTS = {
  'src/shared': { parts: [], packages: ['zod'] },
  'src/sam': { parts: ['src/shared'], packages: [] },
  'src/kernel-bridge': { parts: ['src/shared'], packages: ['@lumino/.+', '@jupyterlab/services'] },
  'src/widget': {
    parts: ['src/shared', 'src/kernel-bridge', 'src/sam'],
    packages: ['@lumino/.+', '@jupyter-widgets/base', '@jupyterlab/translation', 'onnxruntime-web(?:/.+)?', 'fflate']
  },
  'src/extension': {
    parts: ['src/shared', 'src/kernel-bridge', 'src/widget'],
    packages: ['@lumino/.+', '@jupyter-widgets/base', '@jupyterlab/.+']
  },
  engine: { parts: ['src/shared'], packages: ['zod'] },
  'kernel-server': {
    parts: ['src/shared', 'src/sam', 'engine'],
    packages: ['node:.+', 'zod', 'zeromq', 'onnxruntime-node', 'webgpu', 'ml-matrix']
  }
};

/** The folders of the large parts, from top to bottom. Folders in one list stand side by side: neither imports the other. */
const FLOORS = {
  'kernel-server/src': [
    ['methods'],
    ['phases'],
    ['next-region'],
    ['learning'],
    ['engine', 'sam'],
    ['transport'],
    ['session'],
    ['arrays'],
    ['jobs'],
    ['base']
  ],
  'src/widget': [
    ['frame'],
    ['panel'],
    ['commands'],
    ['canvas'],
    ['decoder'],
    ['state'],
    ['tiles'],
    ['labels'],
    ['base']
  ],
  engine: [['codecs'], ['onnx'], ['core']]
};

/** What a part may import from another part when it is loaded; the rest of that part it imports dynamically, or as types. */
const AT_ONCE = {
  // JupyterLab loads the extension at its start; the widget's code comes with the first labeller.
  'src/extension': { 'src/widget': /^(?:base\/|version$)/ }
};

/** Files outside of the parts that every part may import. */
const FREE = ['package.json'];

/** The name of the part that a path (from the repository's root) lies in, or `undefined`. */
function partOf(path) {
  return Object.keys(PARTS).find(part => path === part || path.startsWith(`${part}/`));
}

/** Where a path lies among the floors of its part: {root, floors, name}; `name` is undefined beside the folders. */
function floorOf(path, isFile) {
  const root = Object.keys(FLOORS).find(folder => path === folder || path.startsWith(`${folder}/`));
  if (root === undefined) {
    return undefined;
  }
  const names = path.slice(root.length + 1).split('/');
  const known = FLOORS[root].flat();
  // A specifier without an extension may name a folder or a file beside the folders.
  const inFolder = names.length > 1 || (!isFile && known.includes(names[0]));
  return { root, floors: FLOORS[root], known, name: inFolder ? names[0] : undefined };
}

/**
 * Check one import.
 *
 * @param file path of the importing file from the repository's root, with `/`
 * @param specifier what it imports
 * @param atOnce whether the import loads the module together with the file
 * @returns what is wrong, or `undefined`
 */
export function faultOfImport(file, specifier, atOnce) {
  const part = partOf(file);
  if (part === undefined) {
    return undefined; // see faultOfPlace
  }
  const { parts, packages } = PARTS[part];
  if (!specifier.startsWith('.')) {
    return packages.some(name => new RegExp(`^(?:${name})$`).test(specifier))
      ? undefined
      : `${part} may import the packages ${packages.join(', ') || 'none'} (scripts/walls.mjs).`;
  }
  const target = posix.join(dirname(file).split(sep).join('/'), specifier);
  if (FREE.includes(target)) {
    return undefined;
  }
  const other = partOf(target);
  if (other !== part) {
    if (other === undefined || !parts.includes(other)) {
      return `${part} may import ${parts.join(', ') || 'no other part'} (scripts/walls.mjs).`;
    }
    const early = AT_ONCE[part]?.[other];
    return early && atOnce && !early.test(target.slice(other.length + 1))
      ? `${part} may import ${other} dynamically or as types, but for ${early.source} (scripts/walls.mjs).`
      : undefined;
  }
  const from = floorOf(file, true);
  if (from?.name === undefined) {
    return undefined;
  }
  const { root, floors, known, name } = from;
  const to = floorOf(target, false)?.name;
  const below = floors.slice(floors.findIndex(floor => floor.includes(name)) + 1).flat();
  return to === name || below.includes(to) || !known.includes(name)
    ? undefined
    : `${root}/${name} may import ${below.join(', ') || 'no other folder'} (scripts/walls.mjs).`;
}

/** What is wrong with the place of a file: a folder that the tables do not list. `undefined` if nothing is. */
export function faultOfPlace(file) {
  if (partOf(file) === undefined) {
    return file.startsWith('src/') ? `${dirname(file)} is in no part; add it to PARTS (scripts/walls.mjs).` : undefined;
  }
  const place = floorOf(file, true);
  return place?.name !== undefined && !place.known.includes(place.name)
    ? `${place.root}/${place.name} is not in FLOORS; add it there (scripts/walls.mjs).`
    : undefined;
}

/** The rule for eslint. */
const imports = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const file = posix.relative(context.cwd.split(sep).join('/'), context.filename.split(sep).join('/'));
    const check = (node, source, atOnce) => {
      if (source?.type === 'Literal' && typeof source.value === 'string') {
        const message = faultOfImport(file, source.value, atOnce);
        if (message) {
          context.report({ node, message });
        }
      }
    };
    const isType = node =>
      (node.importKind ?? node.exportKind) === 'type' ||
      (node.specifiers?.length > 0 && node.specifiers.every(each => (each.importKind ?? each.exportKind) === 'type'));
    return {
      Program(node) {
        const message = faultOfPlace(file);
        if (message) {
          context.report({ node, message });
        }
      },
      ImportDeclaration: node => check(node, node.source, !isType(node)),
      ExportNamedDeclaration: node => check(node, node.source, !isType(node)),
      ExportAllDeclaration: node => check(node, node.source, !isType(node)),
      ImportExpression: node => check(node, node.source, false),
      TSImportType: node => check(node, node.source ?? node.argument?.literal, false),
      TSExternalModuleReference: node => check(node, node.expression, true),
      CallExpression: node => node.callee.name === 'require' && check(node, node.arguments[0], true)
    };
  }
};

/** The part of eslint's configuration that checks the walls. */
export const walls = [
  {
    files: ['src/**/*.ts', 'engine/**/*.ts', 'kernel-server/**/*.ts'],
    ignores: ['**/__tests__/**'],
    plugins: { walls: { rules: { imports } } },
    rules: { 'walls/imports': 'error' }
  }
];
