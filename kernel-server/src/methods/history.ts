/** Handlers of the steps that can be undone. */
import { HistoryStep } from '../../../src/shared/protocol';
import { Direction } from '../session/edit';
import { Handlers, ICall } from '../transport/dispatcher';
import { IMethodContext } from './context';

export function historyHandlers({ sessions, events }: IMethodContext) {
  const move = async (id: string, direction: Direction, call: ICall) => {
    const session = await sessions.get(id);
    const { version, changed, rects } = await session.move(call.id, direction);
    await events.labelsEdited(session, rects);
    events.changed(session);
    return { result: { version, changed } };
  };
  return {
    'history.undo': ({ session }, call) => move(session, 'before', call),
    'history.redo': ({ session }, call) => move(session, 'after', call),

    'history.list': async params => {
      const { history } = (await sessions.get(params.session)).labels;
      const steps: HistoryStep[] = history.steps;
      return { result: { steps, position: history.position } };
    }
  } satisfies Partial<Handlers>;
}
