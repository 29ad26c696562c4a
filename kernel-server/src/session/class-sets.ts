/** Class sets: names and colours of classes that the user keeps to use them again, in one file of the data folder, `class-sets.json`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CLASS_NAME_MAX, CLASS_SETS_MAX, CLASSES_MAX } from '../../../src/shared/limits';
import { BridgeError } from '../../../src/shared/errors';
import { ClassSet, LabelClass, zClassSet } from '../../../src/shared/protocol';
import { explainStorage, isMissing, unusable, writeAtomically } from '../base/files';

const zFile = z.object({ sets: z.array(zClassSet) });

export class ClassSets {
  constructor(dataDir: string) {
    this._path = join(dataDir, 'class-sets.json');
  }

  /** All sets, by name. @throws BridgeError `storage` if the file cannot be read, or holds something else */
  async list(): Promise<ClassSet[]> {
    await this._changing;
    return this._read();
  }

  /** The set of a name. @throws BridgeError `invalid` if there is none */
  async get(name: string): Promise<ClassSet> {
    const sets = await this.list();
    const found = sets.find(set => set.name === name);
    if (!found) {
      throw noSet(name, sets);
    }
    return found;
  }

  /** Keep a set, in place of one of the same name. @throws BridgeError `invalid` if there are too many */
  save(set: ClassSet): Promise<void> {
    return this._change(sets => {
      const others = sets.filter(({ name }) => name !== set.name);
      if (others.length >= CLASS_SETS_MAX) {
        throw new BridgeError(
          'invalid',
          `There are ${CLASS_SETS_MAX} class sets, and no more will do; remove one first.`
        );
      }
      return [...others, set].sort((a, b) => a.name.localeCompare(b.name));
    });
  }

  /** Forget a set. @throws BridgeError `invalid` if there is none of the name */
  remove(name: string): Promise<void> {
    return this._change(sets => {
      if (!sets.some(set => set.name === name)) {
        throw noSet(name, sets);
      }
      return sets.filter(set => set.name !== name);
    });
  }

  private _change(change: (sets: ClassSet[]) => ClassSet[]): Promise<void> {
    const done = this._changing.then(async () => {
      const text = JSON.stringify({ sets: change(await this._read()) }, undefined, 1);
      await writeAtomically(this._path, text).catch(async error => {
        throw await explainStorage(error, this._path, text.length);
      });
    });
    this._changing = done.catch(() => undefined);
    return done;
  }

  private async _read(): Promise<ClassSet[]> {
    try {
      return zFile.parse(JSON.parse(await readFile(this._path, 'utf8'))).sets;
    } catch (error) {
      if (isMissing(error)) {
        return [];
      }
      throw unusable(this._path, error instanceof z.ZodError ? new Error('it holds no class sets') : error);
    }
  }

  private readonly _path: string;
  /** Resolves when the last change is on the disk. */
  private _changing: Promise<void> = Promise.resolve();
}

/**
 * The classes of a session that takes the names and colours of a set, by position: ids stay, so that labels keep their places. Classes beyond the set
 * stay if they have labels; further ones of the set get ids that are free.
 *
 * @param labelled ids that occur in labels or correction
 * @param shown ids that a segmentation may show; a new class takes one of them last, since its pixels would appear as the new class
 */
export function classesOfSet(
  classes: readonly LabelClass[],
  set: ClassSet,
  labelled: ReadonlySet<number>,
  shown: ReadonlySet<number>
): LabelClass[] {
  const kept = classes.filter(({ id }, place) => place >= set.classes.length && labelled.has(id));
  const used = new Set([...classes.slice(0, set.classes.length), ...kept].map(({ id }) => id));
  const ids = Array.from({ length: CLASSES_MAX }, (_, i) => i + 1).filter(id => !used.has(id));
  const free = [...ids.filter(id => !shown.has(id)), ...ids.filter(id => shown.has(id))];
  const made = set.classes.map((item, place) => ({ id: classes[place]?.id ?? free.shift()!, ...item }));
  const names = new Set(made.map(({ name }) => name));
  return [
    ...made,
    ...kept.map(item => {
      let { name } = item;
      for (let number = 2; names.has(name); number++) {
        name = `${item.name.slice(0, CLASS_NAME_MAX - 6)} (${number})`;
      }
      names.add(name);
      return { ...item, name };
    })
  ];
}

function noSet(name: string, sets: readonly ClassSet[]): BridgeError {
  const known = sets.map(set => JSON.stringify(set.name)).join(', ');
  return new BridgeError(
    'invalid',
    `There is no class set ${JSON.stringify(name)}; ${known ? `the sets are ${known}` : 'none was saved yet'}.`
  );
}
