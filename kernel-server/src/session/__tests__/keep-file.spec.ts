import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepDamaged, keepFile } from '../keep-file';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sl-keep-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

describe('A kept file', () => {
  it('is a second name of the same file, so that it needs no room', async () => {
    const [path, kept] = [join(folder, 'labels.journal'), join(folder, 'kept')];
    writeFileSync(path, 'labels');
    await keepFile(path, kept);
    expect(statSync(kept).ino).toBe(statSync(path).ino);
    expect(await keepDamaged(path, 'labels')).toMatch(/labels-.*\.damaged$/);
  });

  it('takes the place of no other, which stays', async () => {
    const [path, taken] = [join(folder, 'labels.journal'), join(folder, 'taken')];
    writeFileSync(path, 'labels');
    writeFileSync(taken, 'an older copy');
    await expect(keepFile(path, taken)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readFileSync(taken, 'utf8')).toBe('an older copy');
  });

  it('that is damaged gets one name, however often it is kept', async () => {
    const path = join(folder, 'labels.journal');
    writeFileSync(path, 'labels');
    const kept = await keepDamaged(path, 'labels');
    expect(await keepDamaged(path, 'labels')).toBe(kept);
    expect(readdirSync(folder)).toHaveLength(2);
    expect(existsSync(kept)).toBe(true);
  });
});
