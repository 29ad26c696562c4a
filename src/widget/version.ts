/** The module that Python asks JupyterLab for, and its version. */
export const MODULE_NAME = 'sambalab';

// Required, not imported: an import would bring package.json into the TypeScript build, whose sources all lie in `src`.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { version } = require('../../package.json') as { version: string };

export const MODULE_VERSION = version;
