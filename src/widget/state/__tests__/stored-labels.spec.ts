import { Backup, SessionState, SessionSummary } from '../../../shared';
import { FakeLink } from '../../base/__tests__/fake-link';
import { StoredLabels } from '../stored-labels';

const backup: Backup = {
  name: 'labels-2026-11-27T03-11-33-123Z.bak',
  at: '2026-11-27T03:11:33.123Z',
  labelled: 600,
  damaged: false
};

function summary(values: Partial<SessionSummary>): SessionSummary {
  return {
    session: 'b'.repeat(32),
    title: '',
    name: 'gold',
    origin: null,
    image: { shape: [1, 600, 700, 1], dtype: 'uint8', digest: 'a'.repeat(64) },
    classes: ['matrix'],
    labelled: 1200,
    changed: '2026-11-27T03:11:33.000Z',
    ...values
  };
}

function make(sessions: SessionSummary[]) {
  const asked: { method: string; params: unknown }[] = [];
  let fail = false;
  const link = new FakeLink((method, params) => {
    asked.push({ method, params });
    if (fail) {
      return Promise.reject(new Error('no connection'));
    }
    return Promise.resolve({ result: method === 'session.backups' ? { backups: [backup] } : { sessions } });
  });
  const stored = new StoredLabels({ link });
  const session = { session: link.session, image: { shape: [1, 600, 700, 3] } } as unknown as SessionState;
  /** The session has this many labelled pixels now. */
  const take = async (labelled: number) => {
    stored.take({ labels: { version: 1, counts: { 1: labelled } } } as unknown as SessionState);
    await new Promise(resolve => setTimeout(resolve));
  };
  return { stored, session, take, asked, link, setFail: (value: boolean) => (fail = value) };
}

describe('StoredLabels', () => {
  it('lists backups, and other sessions with labels of this size', async () => {
    const fits = summary({});
    const { stored, session, link } = make([
      fits,
      summary({ session: 'c'.repeat(32), labelled: 0 }),
      summary({ session: 'd'.repeat(32), image: { ...fits.image, shape: [1, 600, 701, 1] } })
    ]);
    expect(stored.backups).toBeNull();
    await stored.fetch(session);
    expect(stored.backups).toEqual([backup]);
    expect(stored.sessions).toEqual([fits]);
    const own = make([summary({ session: link.session })]);
    await own.stored.fetch(own.session);
    expect(own.stored.sessions).toEqual([]);
  });

  it('says why the lists could not be fetched, and forgets that with the next success', async () => {
    const { stored, session, setFail } = make([]);
    setFail(true);
    await stored.fetch(session);
    expect(stored.error).toBe('no connection');
    setFail(false);
    await stored.fetch(session);
    expect(stored.error).toBeNull();
  });

  it('restores a backup and copies a session by their names', async () => {
    const { stored, link, asked } = make([]);
    await stored.restore(backup.name);
    await stored.copy('b'.repeat(32));
    expect(asked).toEqual([
      { method: 'session.restore', params: { session: link.session, backup: backup.name } },
      { method: 'labels.take', params: { session: link.session, from: 'b'.repeat(32) } }
    ]);
  });

  it('asks for related sessions once, and only if the session had no labels', async () => {
    const labelled = make([]);
    await labelled.take(5);
    await labelled.take(0);
    expect(labelled.asked).toEqual([]);
    const other = { ...summary({}), same: 'image' };
    const { stored, take, asked, link } = make([other]);
    await take(0);
    await take(0);
    expect(asked).toEqual([{ method: 'session.related', params: { session: link.session } }]);
    expect(stored.related).toEqual([other]);
  });

  it('has no related sessions once the session had labels, which the user may have erased', async () => {
    const { stored, take } = make([summary({})]);
    let changes = 0;
    stored.changed.connect(() => changes++);
    await take(0);
    await take(7);
    expect([stored.related, changes]).toEqual([[], 2]);
    await take(0);
    expect(stored.related).toEqual([]);
  });

  it('asks for related sessions again after a disconnection', async () => {
    const { stored, take, setFail } = make([summary({})]);
    setFail(true);
    await take(0);
    expect(stored.related).toEqual([]);
    setFail(false);
    await take(0);
    expect(stored.related).toHaveLength(1);
  });
});
