/** Unit tests run in Node; a file that needs a page says so with `@jest-environment jsdom` in its first comment. */
export default {
  testMatch: [
    '<rootDir>/{src,engine,kernel-server}/**/__tests__/**/*.spec.ts',
    '<rootDir>/scripts/__tests__/*.spec.mjs'
  ],
  modulePathIgnorePatterns: ['<rootDir>/lib', '<rootDir>/sambalab', '<rootDir>/.venv'],
  transform: {
    '^.+\\.m?[jt]s$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } }
    ]
  },
  transformIgnorePatterns: ['/node_modules/(?!(@jupyter|@jupyterlab|@jupyter-widgets|@lumino|lib0|y-protocols|yjs)/)'],
  testTimeout: 60000
};
