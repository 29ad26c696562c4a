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
  return { stored, session, asked, link, setFail: (value: boolean) => (fail = value) };
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
});
