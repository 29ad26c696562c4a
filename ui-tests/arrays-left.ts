/**
 * After the UI tests: removes the arrays of their sessions from memory. A sidecar that ends soon after its page leaves them for the next
 * sidecar, and here perhaps none comes.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { serverFolder, WORKERS } from './servers';

export default function removeArrays(): void {
  for (let worker = 0; worker < WORKERS; worker++) {
    const sessions = join(serverFolder(worker), 'data/sessions');
    const records = existsSync(sessions) ? readdirSync(sessions).map(name => join(sessions, name, 'session.json')) : [];
    for (const record of records.filter(existsSync)) {
      const { arrays } = JSON.parse(readFileSync(record, 'utf8')) as { arrays: Record<string, { path: string }> };
      Object.values(arrays).forEach(({ path }) => rmSync(dirname(path), { recursive: true, force: true }));
    }
  }
}
