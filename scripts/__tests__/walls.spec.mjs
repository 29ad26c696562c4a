/** The import walls: a planted wrong import is an error that names the wall, and the imports of the real code are not. */
import { Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { walls } from '../walls.mjs';

const linter = new Linter({ configType: 'flat', cwd: '/project' });
const config = [{ files: ['**/*.ts'], languageOptions: { parser: tseslint.parser } }, ...walls];

/** The messages for a file of this path that holds this one import. */
function lint(file, module) {
  return linter
    .verify(`import { x } from '${module}';\nexport const y = x;\n`, config, { filename: `/project/${file}` })
    .map(({ message }) => message.replace(/^.*is restricted from being used by a pattern\. /s, ''));
}

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
    ['src/widget/panel/fields.ts', '../ipywidget', 'src/widget/panel may import canvas, decoder'],
    ['src/extension/index.ts', '../sam', 'src/extension may import src/shared, src/kernel-bridge, src/widget'],
    ['engine/core/forest.ts', 'node:fs', 'engine may import the packages zod'],
    ['engine/onnx/wire.ts', '../../src/sam', 'engine may import src/shared'],
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
    ['engine/onnx/wire.ts', '../core/forest'],
    ['kernel-server/src/main.ts', './transport/socket'],
    ['kernel-server/src/base/log.ts', 'node:fs'],
    ['kernel-server/src/session/journal.ts', '../base/files'],
    ['kernel-server/src/sam/models.ts', '../../../src/sam'],
    // Tests may look over the walls.
    ['kernel-server/src/base/__tests__/log.spec.ts', '../../session/session']
  ])('%s imports %s', (file, module) => {
    expect(lint(file, module)).toEqual([]);
  });
});
