/**
 * The import walls: which folder may import which. `npm run lint` fails on an import that climbs over one.
 *
 * Between the parts the table {@link PARTS} says what each may import. Inside a part with folders, {@link FLOORS} lists the folders
 * from top to bottom: each may import the folders below it, and no folder imports the files beside the folders.
 * Tests are free. Python's walls are in pyproject.toml (`[tool.importlinter]`).
 */

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

/** The folders of the large parts, from top to bottom. */
const FLOORS = {
  'kernel-server/src': [
    'methods',
    'next-region',
    'learning',
    'engine',
    'sam',
    'transport',
    'session',
    'arrays',
    'jobs',
    'base'
  ],
  'src/widget': ['frame', 'panel', 'canvas', 'decoder', 'state', 'tiles', 'labels', 'base'],
  engine: ['codecs', 'onnx', 'core']
};

const TESTS = ['**/__tests__/**'];

function restriction(files, patterns) {
  return { files, ignores: TESTS, rules: { 'no-restricted-imports': ['error', { patterns }] } };
}

/** What a file of `part` may not import from outside of it; `deep` is the number of folders between the part and the file. */
function outside(part, deep) {
  const { parts, packages } = PARTS[part];
  const names = part.split('/');
  // One pattern for each folder above the part: an import climbs to that folder and then names what it wants in there.
  const relative = names.map((_, i) => {
    const folder = names
      .slice(0, i)
      .map(name => `${name}/`)
      .join('');
    const may = [part, ...parts]
      .filter(name => name.startsWith(folder))
      .map(name => `${name.slice(folder.length)}(?:/|$)`);
    const up = `(?:\\.\\./){${deep + names.length - i}}`;
    return {
      regex: `^${up}(?!\\.\\./)(?!${[...may, 'package\\.json$'].join('|')})`,
      message: `${part} may import ${parts.join(', ') || 'no other part'} (scripts/walls.mjs).`
    };
  });
  const mayPackages = ['\\.', ...packages.map(name => `${name}$`)].join('|');
  return [
    ...relative,
    {
      regex: `^(?!${mayPackages})`,
      message: `${part} may import the packages ${packages.join(', ') || 'none'} (scripts/walls.mjs).`
    }
  ];
}

/** What a file in a folder of `part` may not import inside of it. */
function above(root, floors, floor, deep) {
  const up = `(?:\\.\\./){${deep}}`;
  const below = floors.slice(floors.indexOf(floor) + 1);
  const may = [floor, ...below].map(name => `${name}(?:/|$)`).join('|');
  return {
    regex: `^${up}(?!\\.\\./)(?!${may})`,
    message: `${root}/${floor} may import ${below.join(', ') || 'no other folder'} (scripts/walls.mjs).`
  };
}

/** The rules, one block for each folder and depth. Later blocks of eslint's list replace earlier ones. */
export const walls = Object.keys(PARTS).flatMap(part => {
  const root = part === 'kernel-server' ? 'kernel-server/src' : part;
  const extra = root.split('/').length - part.split('/').length;
  const blocks = [
    restriction([`${root}/*.ts`], outside(part, extra)),
    restriction([`${root}/*/*.ts`], outside(part, extra + 1)),
    restriction([`${root}/*/*/*.ts`], outside(part, extra + 2))
  ];
  for (const floor of FLOORS[root] ?? []) {
    blocks.push(
      restriction([`${root}/${floor}/*.ts`], [...outside(part, extra + 1), above(root, FLOORS[root], floor, 1)]),
      restriction([`${root}/${floor}/*/*.ts`], [...outside(part, extra + 2), above(root, FLOORS[root], floor, 2)])
    );
  }
  return blocks;
});
