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
  // Jest's modules look up globals through the test's context, which takes a hundred times as long as a variable: loops over pixels feel it.
  sandboxInjectedGlobals: ['Math', 'Number', 'Array', 'Uint8Array', 'Uint16Array', 'Float32Array', 'Float64Array'],
  setupFilesAfterEnv: ['<rootDir>/scripts/jest-equality.cjs'],
  testTimeout: 60000
};
