import { RelatedSession, SessionState } from '../../../shared';
import { FakeLink } from '../../base/__tests__/fake-link';
import { RelatedSessions } from '../related-sessions';

const other: RelatedSession = {
  session: 'b'.repeat(32),
  title: '',
  name: null,
  origin: { document: 'old.ipynb', place: 'variable lab' },
  image: { shape: [1, 600, 700, 1], dtype: 'uint8', digest: 'a'.repeat(64) },
  classes: ['matrix', 'pore'],
  labelled: 1200,
  changed: '2026-11-27T03:11:33.000Z',
  same: 'image'
};

function make() {
  const asked: { method: string; params: unknown }[] = [];
  let fail = false;
  const link = new FakeLink((method, params) => {
    asked.push({ method, params });
    return fail ? Promise.reject(new Error('disconnected')) : Promise.resolve({ result: { sessions: [other] } });
  });
  const related = new RelatedSessions({ link });
  const take = async (labelled: number) => {
    related.take({ labels: { version: 1, counts: { 1: labelled } } } as unknown as SessionState);
    await new Promise(resolve => setTimeout(resolve));
  };
  return { related, take, asked, link, setFail: (value: boolean) => (fail = value) };
}

describe('RelatedSessions', () => {
  it('asks once, only if the session had no labels', async () => {
    const labelled = make();
    await labelled.take(5);
    await labelled.take(0);
    expect(labelled.asked).toEqual([]);
    const { related, take, asked, link } = make();
    await take(0);
    await take(0);
    expect(asked).toEqual([{ method: 'session.related', params: { session: link.session } }]);
    expect(related.list).toEqual([other]);
  });

  it('is empty once the session had labels, which the user may have erased', async () => {
    const { related, take } = make();
    let changes = 0;
    related.changed.connect(() => changes++);
    await take(0);
    await take(7);
    expect([related.list, changes]).toEqual([[], 2]);
    await take(0);
    expect(related.list).toEqual([]);
  });

  it('is empty after it was dismissed', async () => {
    const { related, take } = make();
    await take(0);
    related.dismiss();
    expect(related.list).toEqual([]);
  });

  it('asks again after a disconnection', async () => {
    const { related, take, setFail } = make();
    setFail(true);
    await take(0);
    expect(related.list).toEqual([]);
    setFail(false);
    await take(0);
    expect(related.list).toEqual([other]);
  });
});
