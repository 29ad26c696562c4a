/** All sessions: those in memory, and those in folders that are loaded when a request needs them. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import { ArrayDescriptor, Params } from '../../../src/shared/protocol';
import { log } from '../base/log';
import { ISessionContext, Session } from './session';

export class Sessions {
  constructor(
    private readonly _dataDir: string,
    private readonly _context: ISessionContext
  ) {}

  /** Ids of the sessions in memory. */
  get ids(): string[] {
    return [...this._open.keys()];
  }

  /** The id of the session of a key. */
  idOf(key: string): string {
    return createHash('sha256').update(key).digest('hex').slice(0, 32);
  }

  /**
   * Find or make the session of a key.
   *
   * @param resumes no peer uses the session, so its old labels are reported to the user
   * @param pixels an array with the image's pixels, which the session may move to its own
   */
  open(params: Params<'session.open'>, resumes: boolean, pixels?: ArrayDescriptor): Promise<Session> {
    const id = this.idOf(params.key);
    return this._inTurn(id, async session => {
      if (!session) {
        return Session.open(id, this._folder(id), params, this._context, { resumes, pixels });
      }
      await session.admit(params);
      try {
        await session.reopen(params, { resumes, pixels });
      } catch (error) {
        // The session may be half way between two images. Its files are intact: the next request loads them.
        this._settled.delete(id);
        await session.abandon();
        throw error;
      }
      return session;
    });
  }

  /** The session of an id, loaded from its folder if necessary. Throws BridgeError `unknown-session`. */
  get(id: string): Promise<Session> {
    return this._inTurn(id, async session => {
      await session?.mend();
      const found = session ?? (await Session.load(id, this._folder(id), this._context));
      if (!found) {
        throw new BridgeError('unknown-session', `There is no session ${id}. Run the cell that shows the image again.`);
      }
      return found;
    });
  }

  /** The session of an id if it is open. */
  opened(id: string): Session | undefined {
    return this._settled.get(id);
  }

  /** Note that the last labeller of a session was closed (`true`), or that there is one again. */
  leave(id: string, left: boolean): void {
    if (left) {
      this._left.add(id);
    } else {
      this._left.delete(id);
    }
  }

  /** Whether the last labeller of a session was closed, so that it is not expected back soon. */
  left(id: string): boolean {
    return this._left.has(id);
  }

  /** Milliseconds since the last request for a session, or the last {@link touch}. */
  idle(id: string): number {
    return performance.now() - (this._touched.get(id) ?? 0);
  }

  /** Note that a session is in use. */
  touch(id: string): void {
    this._touched.set(id, performance.now());
  }

  /** Remove a session's feature stack, which is large and quickly computed again. Called when no Python peer is left. */
  async forgetFeatures(id: string): Promise<void> {
    await this._settled.get(id)?.forgetFeatures();
  }

  /** Close the sessions for which `unused` is true and free their arrays. @returns whether there were any */
  async release(unused: (id: string) => boolean): Promise<boolean> {
    let any = false;
    for (const [id, opening] of [...this._open]) {
      const session = this._settled.get(id);
      if (!session || this._busy.has(opening) || !unused(id)) {
        continue;
      }
      this._settled.delete(id);
      this._touched.delete(id);
      this._left.delete(id);
      // A request for the session waits until it is closed, and then loads it.
      const closed = session.close(true).then(() => Promise.reject<Session>(new Error(`Session ${id} was closed.`)));
      this._open.set(id, closed);
      await closed.catch(error => log('freed arrays', error.message));
      if (this._open.get(id) === closed) {
        this._open.delete(id);
      }
      any = true;
    }
    return any;
  }

  /** Do `work` while a session is closed: a request for it waits. Nothing is done if it is open. @returns what `work` does; else false */
  async whileClosed(id: string, work: () => Promise<boolean>): Promise<boolean> {
    if (this._open.has(id)) {
      return false;
    }
    const done = work();
    const closed = done.then(() => Promise.reject<Session>(new Error(`Session ${id} is closed.`)));
    this._open.set(id, closed);
    await closed.catch(() => undefined);
    if (this._open.get(id) === closed) {
      this._open.delete(id);
    }
    return done;
  }

  /** Close all sessions. Their arrays stay. */
  async close(): Promise<void> {
    for (const session of this._settled.values()) {
      await session.close().catch(error => log(`session ${session.id} did not close`, error));
    }
    this._open.clear();
    this._settled.clear();
  }

  /** Run `work` after all earlier work on the session of this id. */
  private _inTurn(id: string, work: (session: Session | undefined) => Promise<Session>): Promise<Session> {
    this.touch(id);
    const before = this._open.get(id)?.catch(() => undefined) ?? Promise.resolve(undefined);
    const after = before.then(() => work(this._settled.get(id)));
    this._open.set(id, after);
    this._busy.add(after);
    return after.then(
      session => {
        this._busy.delete(after);
        this._settled.set(id, session);
        return session;
      },
      error => {
        this._busy.delete(after);
        if (this._open.get(id) === after && !this._settled.has(id)) {
          this._open.delete(id);
        }
        throw error;
      }
    );
  }

  private _folder(id: string): string {
    return join(this._dataDir, 'sessions', id);
  }

  private readonly _open = new Map<string, Promise<Session>>();
  private readonly _busy = new Set<Promise<Session>>();
  private readonly _touched = new Map<string, number>();
  private readonly _left = new Set<string>();
  private readonly _settled = new Map<string, Session>();
}
