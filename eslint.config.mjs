import jupyter from '@jupyter/eslint-plugin';
import tseslint from 'typescript-eslint';
import { walls } from './scripts/walls.mjs';

export default tseslint.config(
  {
    ignores: [
      'node_modules',
      '.venv',
      '.cache',
      'lib',
      'engine/assembly',
      'engine/build',
      'sambalab',
      'ui-tests/test-results',
      'ui-tests/playwright-report',
      'examples'
    ]
  },
  ...tseslint.configs.recommended,
  ...walls,
  {
    files: ['src/**/*.ts'],
    plugins: { jupyter },
    rules: { ...(jupyter.configs?.recommended?.rules ?? {}) }
  },
  {
    rules: {
      curly: ['error', 'all'],
      eqeqeq: 'error',
      'prefer-const': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-namespace': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/naming-convention': [
        'error',
        { selector: 'interface', format: ['PascalCase'], custom: { regex: '^I[A-Z]', match: true } }
      ]
    }
  }
);
