import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findCircles } from '../circles.mjs';

const root = dirname(dirname(__dirname));

describe('imports', () => {
  it('make no circle of files', () => {
    expect(findCircles(root, ['src', 'engine', 'kernel-server/src'])).toEqual([]);
  });

  it('are followed through folders, re-exports and types to the circle that they make', () => {
    const folder = mkdtempSync(join(tmpdir(), 'circles-'));
    try {
      writeFileSync(join(folder, 'a.ts'), "import {\n  b\n} from './b';\n");
      writeFileSync(join(folder, 'b.ts'), "export * from '.';\n");
      writeFileSync(join(folder, 'index.ts'), "import type { C } from './c';\n");
      writeFileSync(join(folder, 'c.ts'), "import './b';\nimport { readFile } from 'node:fs';\n");
      expect(findCircles(folder, ['.'])).toEqual(['b.ts → index.ts → c.ts → b.ts']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
