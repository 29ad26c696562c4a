/** Handlers that list sessions, and copy labels from one session to another. */
import { BridgeError } from '../../../src/shared/errors';
import { Handlers, madeBy } from '../transport/dispatcher';
import { IMethodContext } from './context';

export function sessionListHandlers({ sessions, sessionList, events }: IMethodContext) {
  return {
    'session.list': async () => ({ result: { sessions: await sessionList.all() } }),

    'session.related': async params => {
      const session = await sessions.get(params.session);
      return { result: { sessions: await sessionList.related(session) } };
    },

    'labels.take': async (params, call) => {
      const session = await sessions.get(params.session);
      const source = await sessions.get(params.from);
      if (source === session) {
        throw new BridgeError('invalid', `The session ${session.id} cannot take its own labels.`);
      }
      await events.aroundReplacement(session, () =>
        session.adoptLabels(source.labels.array, [...source.record.classes], madeBy(call, 'take_labels'), {
          provenance: source.array('provenance')!
        })
      );
      return { result: session.state() };
    }
  } satisfies Partial<Handlers>;
}
