/** The import walls: a planted wrong import is an error that names the wall, and the imports of the real code are not. */
import { Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { walls } from '../walls.mjs';

const linter = new Linter({ configType: 'flat', cwd: '/project' });
const config = [{ files: ['**/*.ts'], languageOptions: { parser: tseslint.parser } }, ...walls];

/** The messages for a file of this path and code. */
function lintCode(file, code) {
  return linter.verify(code, config, { filename: `/project/${file}` }).map(({ message }) => message);
}

/** The messages for a file that holds this one import. */
const lint = (file, module) => lintCode(file, `import { x } from '${module}';\nexport const y = x;\n`);

describe('A wrong import is an error that says what may be imported', () => {
  it.each([
    ['src/shared/lru.ts', '@lumino/signaling', 'src/shared may import the packages zod'],
    ['src/shared/protocol/sam.ts', '../../sam', 'src/shared may import no other part'],
    ['src/sam/masks.ts', 'onnxruntime-node', 'src/sam may import the packages none'],
    ['src/kernel-bridge/client.ts', '../widget', 'src/kernel-bridge may import src/shared'],
    ['src/widget/index.ts', '@jupyterlab/application', 'src/widget may import the packages @lumino'],
    ['src/widget/panel/fields.ts', '@jupyterlab/notebook', 'src/widget may import the packages @lumino'],
    [
      'src/widget/canvas/tools/brush.ts',
      '../../../extension/widget',
      'src/widget may import src/shared, src/kernel-bridge'
    ],
    ['src/widget/base/dom.ts', '../state/connection', 'src/widget/base may import no other folder'],
    ['src/widget/labels/undo.ts', '../canvas/tools', 'src/widget/labels may import base'],
    ['src/widget/canvas/tools/brush.ts', '../../panel/fields', 'src/widget/canvas may import decoder, state, tiles'],
    ['src/widget/panel/fields.ts', '../ipywidget', 'src/widget/panel may import commands, canvas, decoder'],
    ['src/extension/index.ts', '../sam', 'src/extension may import src/shared, src/kernel-bridge, src/widget'],
    ['engine/core/forest.ts', 'node:fs', 'engine may import the packages zod'],
    ['engine/onnx/graph.ts', '../../src/sam', 'engine may import src/shared'],
    ['engine/core/forest.ts', '../codecs', 'engine/core may import no other folder'],
    ['kernel-server/src/main.ts', '../../src/kernel-bridge', 'kernel-server may import src/shared, src/sam, engine'],
    ['kernel-server/src/base/log.ts', '../session/session', 'kernel-server/src/base may import no other folder'],
    ['kernel-server/src/session/session.ts', '../transport/peers', 'kernel-server/src/session may import arrays, jobs'],
    ['kernel-server/src/session/journal.ts', 'fflate', 'kernel-server may import the packages node:.+'],
    ['kernel-server/src/sam/models.ts', '../../../src/widget', 'kernel-server may import src/shared, src/sam, engine']
  ])('%s imports %s', (file, module, message) => {
    expect(lint(file, module)).toEqual([expect.stringContaining(message)]);
  });
});

describe('Every form of a wrong import is an error', () => {
  it.each([
    ["export const x = import('../frame/keys');"],
    ["export type X = import('../frame/keys').KeyMap;"],
    ["import type { KeyMap } from '../frame/keys';\nexport const x: KeyMap | null = null;"],
    ["export { KeyMap } from '../frame/keys';"],
    ["export * from '../frame/keys';"],
    ["import '../frame/keys';"],
    ["import keys = require('../frame/keys');\nexport const x = keys;"],
    ["export const x = require('../frame/keys');"],
    ["import { x } from './../frame/keys';\nexport const y = x;"],
    ["import { x } from '..';\nexport const y = x;"]
  ])('%s', code => {
    expect(lintCode('src/widget/state/choice.ts', code)).toEqual([
      expect.stringContaining('src/widget/state may import tiles, labels, base')
    ]);
  });

  it.each([
    ['src/shared/lru.ts', "export const x = import('zeromq');", 'src/shared may import the packages zod'],
    ['src/kernel-bridge/client.ts', "import { x } from '..';\nexport const y = x;", 'may import src/shared'],
    ['src/widget/canvas/tools/deep/x.ts', "import '@jupyterlab/notebook';", 'src/widget may import the packages'],
    ['src/widget/canvas/tools/deep/x.ts', "import '../../../frame/keys';", 'src/widget/canvas may import decoder'],
    ['kernel-server/src/engine/service.ts', "import '../sam/service';", 'engine may import transport, session'],
    ['kernel-server/src/sam/service.ts', "import '../engine/service';", 'sam may import transport, session'],
    [
      'src/extension/widget.ts',
      "import { C } from '../widget/canvas/canvas';\nexport const x = C;",
      'dynamically or as types'
    ]
  ])('%s: %s', (file, code, message) => {
    expect(lintCode(file, code)).toEqual([expect.stringContaining(message)]);
  });

  it('a folder that the tables do not list is an error', () => {
    expect(lintCode('src/widget/undo/x.ts', 'export {};')).toEqual([
      expect.stringContaining('src/widget/undo is not in FLOORS')
    ]);
    expect(lintCode('src/newpart/x.ts', 'export {};')).toEqual([expect.stringContaining('src/newpart is in no part')]);
  });
});

describe('A right import passes', () => {
  it.each([
    ['src/shared/lru.ts', 'zod'],
    ['src/shared/protocol/sam.ts', '../rect'],
    ['src/kernel-bridge/client.ts', '../shared/frames'],
    ['src/widget/base/dom.ts', '@lumino/widgets'],
    ['src/widget/canvas/tools/brush.ts', '../../labels/raster'],
    ['src/widget/canvas/tools/brush.ts', '../../../shared/rect'],
    ['src/widget/panel/fields.ts', '../state/choice'],
    ['src/extension/index.ts', '@jupyterlab/application'],
    ['src/extension/widget.ts', '../widget/base/settings'],
    ['kernel-server/src/base/version.ts', '../../../package.json'],
    ['engine/onnx/graph.ts', '../core/forest'],
    ['kernel-server/src/main.ts', './transport/socket'],
    ['kernel-server/src/base/log.ts', 'node:fs'],
    ['kernel-server/src/session/journal.ts', '../base/files'],
    ['kernel-server/src/sam/models.ts', '../../../src/sam'],
    // Tests may look over the walls.
    ['kernel-server/src/base/__tests__/log.spec.ts', '../../session/session']
  ])('%s imports %s', (file, module) => {
    expect(lint(file, module)).toEqual([]);
  });

  it('the extension loads the widget dynamically, and uses its types', () => {
    const code =
      "import type { C } from '../widget/canvas/canvas';\nexport const x: Promise<C> = import('../widget/ipywidget');";
    expect(lintCode('src/extension/widget.ts', code)).toEqual([]);
  });
});
