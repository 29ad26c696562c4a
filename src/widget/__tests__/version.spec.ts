import { version } from '../../../package.json';
import { MODULE_VERSION } from '../version';

describe('MODULE_VERSION', () => {
  it('is the version of the package, which Python asks for', () => {
    expect(MODULE_VERSION).toBe(version);
  });
});
