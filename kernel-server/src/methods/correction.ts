/** Handlers of the correction. */
import { IMoved } from '../session/journalled-labels';
import { Session } from '../session/session';
import { Handlers } from '../transport/dispatcher';
import { IMethodContext } from './context';

export function correctionHandlers({ sessions, events, corrections }: IMethodContext) {
  const changed = async (session: Session, change: Promise<IMoved>) => {
    const { version, changed, rects } = await change;
    await events.labelsEdited(session, rects);
    events.changed(session);
    return { result: { version, changed } };
  };
  return {
    'correction.clean': async (params, call) => {
      const session = await sessions.get(params.session);
      return changed(session, corrections.clean(session, params, call));
    },
    'correction.use': async (params, call) => {
      const session = await sessions.get(params.session);
      return changed(session, corrections.use(session, params, call));
    },
    'correction.clear': async (params, call) => {
      const session = await sessions.get(params.session);
      return changed(session, corrections.clear(session, params, call));
    }
  } satisfies Partial<Handlers>;
}
