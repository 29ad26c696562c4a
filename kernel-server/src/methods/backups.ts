/** Handlers of backups. */
import { Handlers, madeBy } from '../transport/dispatcher';
import { IMethodContext } from './context';

export function backupHandlers({ sessions, backups, events }: IMethodContext) {
  return {
    'session.backups': async params => {
      const session = await sessions.get(params.session);
      return { result: { backups: await backups.list(session) } };
    },

    'session.restore': async (params, call) => {
      const session = await sessions.get(params.session);
      await events.aroundReplacement(session, () => backups.restore(session, params.backup, madeBy(call, 'restore')));
      return { result: session.state() };
    }
  } satisfies Partial<Handlers>;
}
