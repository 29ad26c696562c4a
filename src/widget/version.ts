/** The module that Python asks the front end for, and the version of it: that of `package.json`, which a test compares. */
export const MODULE_NAME = 'sambalab';
export const MODULE_VERSION = '0.1.0';
