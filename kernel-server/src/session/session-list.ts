/** Lists the sessions on disk, and finds those that are related to a session. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RELATED_MAX } from '../../../src/shared/limits';
import { RelatedSession, SessionSummary, zSessionId } from '../../../src/shared/protocol';
import { breathe, explainStorage } from '../base/files';
import { Session } from './session';
import { SessionRecord, zRecord } from './session-record';
import { Sessions } from './sessions';

/** The part of `session.json` that a summary needs. */
const zListed = zRecord.pick({
  key: true,
  title: true,
  origin: true,
  image: true,
  classes: true,
  labelled: true,
  changed: true
});
type Listed = Pick<SessionRecord, keyof typeof zListed.shape>;

/** Files that are read between two turns of the event loop. */
const FILES_AT_ONCE = 32;

/** Keys of named sessions begin with this; Python's `keys.py` makes them. */
const NAMED = 'name:';

export class SessionList {
  /** @param folder holds one folder for each session, named by its id */
  constructor(
    private readonly _folder: string,
    private readonly _sessions: Sessions
  ) {}

  /** All sessions, the latest change first. A session whose record cannot be read is left out. */
  async all(): Promise<SessionSummary[]> {
    const found: SessionSummary[] = [];
    const names = await readdir(this._folder).catch(async error => {
      throw await explainStorage(error, this._folder);
    });
    const ids = names.filter(id => zSessionId.safeParse(id).success);
    for (let i = 0; i < ids.length; i += FILES_AT_ONCE) {
      const some = await Promise.all(ids.slice(i, i + FILES_AT_ONCE).map(id => this._summary(id)));
      found.push(...some.filter(item => item !== undefined));
      await breathe();
    }
    return found.sort((a, b) => b.changed.localeCompare(a.changed));
  }

  /** Other sessions with labels of the same image, or of the same variable and an image of the same size. */
  async related({ id, record }: Session): Promise<RelatedSession[]> {
    const size = sizeOf(record.image.shape);
    const others = (await this.all()).filter(
      other => other.session !== id && other.labelled > 0 && sizeOf(other.image.shape) === size
    );
    const sameImage = others.filter(({ image }) => image.digest === record.image.digest);
    const sameVariable = others.filter(
      other => !sameImage.includes(other) && record.origin !== null && other.origin?.place === record.origin.place
    );
    return [
      ...sameImage.map(other => ({ ...other, same: 'image' as const })),
      ...sameVariable.map(other => ({ ...other, same: 'variable' as const }))
    ].slice(0, RELATED_MAX);
  }

  private async _summary(id: string): Promise<SessionSummary | undefined> {
    const open = this._sessions.opened(id);
    const listed = open ? { ...open.record, labelled: open.labels.pixels } : await this._read(id);
    if (!listed) {
      return undefined;
    }
    const { key, title, origin, image, classes, labelled, changed } = listed;
    return {
      session: id,
      title,
      name: key.startsWith(NAMED) ? key.slice(NAMED.length) : null,
      origin,
      image: { shape: image.shape, dtype: image.dtype, digest: image.digest, pixelSize: image.pixelSize },
      classes: classes.map(({ name }) => name),
      labelled,
      changed
    };
  }

  /** Read the record of a session that is not open; once, until the file changes. */
  private async _read(id: string): Promise<Listed | undefined> {
    const path = join(this._folder, id, 'session.json');
    try {
      const { mtimeMs, size } = await stat(path);
      const known = this._known.get(id);
      if (known?.mtimeMs === mtimeMs && known.size === size) {
        return known.listed;
      }
      const listed = zListed.parse(JSON.parse(await readFile(path, 'utf8')));
      this._known.set(id, { mtimeMs, size, listed });
      return listed;
    } catch {
      return undefined; // opening the session tells what is wrong with it
    }
  }

  private readonly _known = new Map<string, { mtimeMs: number; size: number; listed: Listed }>();
}

/** Slices, rows and columns, as labels have them. */
function sizeOf(shape: readonly number[]): string {
  return shape.slice(0, 3).join();
}
