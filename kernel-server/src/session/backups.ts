/** The backups of a session: journals that were set aside, or kept because they were damaged. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import { ArrayDescriptor, Backup, LabelClass, MadeBy, zBackup } from '../../../src/shared/protocol';
import { ArrayStore } from '../arrays/array-store';
import { JournalReader } from './journal-reader';
import { countsById, Planes } from './planes';
import { missingClasses } from './recovered';
import { IReplayed, replay } from './replay';
import { Session } from './session';

export class Backups {
  constructor(private readonly _store: ArrayStore) {}

  /** All backups of a session, the latest first. */
  async list(session: Session): Promise<Backup[]> {
    const backups: Backup[] = [];
    for (const name of await readdir(session.folder)) {
      if (!zBackup.shape.name.safeParse(name).success) {
        continue;
      }
      const labelled = await this._replayed(session, name, async (_, planes) => planes.pixels('labels'));
      backups.push({ name, at: timeOf(name), labelled: labelled ?? null, damaged: name.endsWith('.damaged') });
    }
    return backups.sort((a, b) => b.at.localeCompare(a.at));
  }

  /**
   * Restore labels, correction and classes of a backup. The present ones are set aside.
   *
   * @throws BridgeError `invalid` if there is no such backup, or its labels are of another size
   */
  async restore(session: Session, name: string, made: MadeBy): Promise<void> {
    const done = await this._replayed(
      session,
      name,
      async ({ classes }, { labels, provenance, correction, counts }) => {
        const known: LabelClass[] = classes ?? [...session.record.classes];
        const ids = Object.keys({ ...countsById(counts.labels), ...countsById(counts.correction) }).map(Number);
        const all = [...known, ...missingClasses(known, ids)];
        await session.adoptLabels(labels.array, all, made, {
          provenance: provenance!.array,
          correction: correction?.array ?? null
        });
        return true;
      }
    );
    if (!done) {
      throw new BridgeError('invalid', `The backup ${name} holds labels of an image of another size.`);
    }
  }

  /** Replay a backup into scratch arrays, and do `work` with them. `undefined` for labels of another shape. */
  private async _replayed<T>(
    session: Session,
    name: string,
    work: (replayed: IReplayed, planes: Planes) => Promise<T>
  ): Promise<T | undefined> {
    const reader = await JournalReader.open(join(session.folder, name));
    if (!reader) {
      throw new BridgeError('invalid', `There is no backup ${name} of this session.`);
    }
    try {
      const { shape } = session.labels.array;
      if ((await reader.shape())?.join() !== shape.join()) {
        return undefined;
      }
      const allocate = (what: string) => this._store.allocate(session.arraysFolder, what, 'uint8', shape, true);
      const [labels, provenance] = [await allocate('backup'), await allocate('backup-provenance')];
      let correction: ArrayDescriptor | undefined;
      const makeCorrection = async () => (correction = await allocate('backup-correction'));
      try {
        const planes = new Planes({ labels, provenance, makeCorrection });
        try {
          return await work(await replay(reader, planes, { blank: true }), planes);
        } finally {
          planes.close();
        }
      } finally {
        await this._store.remove(labels, provenance, correction);
      }
    } finally {
      await reader.close();
    }
  }
}

/** The time in the name of a backup, labels-2026-11-27T03-11-33-123Z.bak for example, as ISO 8601. */
function timeOf(name: string): string {
  return name.replace(/^labels-(\d+-\d+-\d+T\d+)-(\d+)-(\d+)-(\d+Z)\..*$/, '$1:$2:$3.$4');
}
