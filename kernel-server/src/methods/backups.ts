/** Handlers of backups. */
import { Handlers } from '../transport/dispatcher';
import { IMethodContext } from './context';

export function backupHandlers({ sessions, backups, events }: IMethodContext) {
  return {
    'session.backups': async params => {
      const session = await sessions.get(params.session);
      return { result: { backups: await backups.list(session) } };
    },

    'session.restore': async params => {
      const session = await sessions.get(params.session);
      await events.aroundReplacement(session, () => backups.restore(session, params.backup));
      return { result: session.state() };
    }
  } satisfies Partial<Handlers>;
}
