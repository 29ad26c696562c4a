/** Handlers of sessions: open and attach, classes, choice, live segmentation and views. */
import { viewOf } from '../learning/live-rounds';
import { Handlers, madeBy } from '../transport/dispatcher';
import { pythonOnly } from './checks';
import { IMethodContext } from './context';

export function sessionHandlers({ sessions, peers, events, jobs, live, classifiers, staging }: IMethodContext) {
  return {
    'session.open': async (params, call) => {
      pythonOnly(call, 'session.open');
      const resumes = !params.again && !(await peers.uses(sessions.idOf(params.key)));
      // After a restart of the sidecar it is gone. Then Python writes the pixels once more.
      const pixels = params.staged === undefined ? undefined : staging.take(call.peer, params.staged);
      let session;
      try {
        if (params.fresh) {
          await jobs.endLearning(sessions.idOf(params.key));
        }
        session = await sessions.open(params, resumes, pixels);
      } finally {
        await staging.discard(pixels); // unless the session has moved it
      }
      if (params.fresh) {
        events.layerReplaced(session, 'labels');
        events.layerReplaced(session, 'correction');
      }
      call.peer.attached.add(session.id);
      sessions.leave(session.id, false);
      live.attended(session);
      return { result: session.state() };
    },

    'session.attach': async (params, { peer }) => {
      const session = await sessions.get(params.session);
      peer.attached.add(session.id);
      if (peer.role === 'python') {
        sessions.leave(session.id, false);
      }
      live.attended(session);
      return { result: session.state() };
    },

    'session.detach': async (params, { peer }) => {
      peer.attached.delete(params.session);
      peer.views.delete(params.session);
      if (peer.role === 'python' && !peers.attends(params.session, 'python')) {
        sessions.leave(params.session, true);
        await sessions.forgetFeatures(params.session);
      }
      return { result: {} };
    },

    'session.classes': async (params, call) => {
      const session = await sessions.get(params.session);
      const { classes, relabel = [] } = params;
      if (relabel.length === 0) {
        await session.setClasses(classes, madeBy(call, 'classes'));
      } else {
        const tool = relabel.some(([, to]) => to !== 0) ? 'merge_classes' : 'remove_class';
        const { rects } = await session.relabel(call.id, classes, relabel, madeBy(call, tool));
        await events.labelsEdited(session, rects);
        events.changed(session);
      }
      return { result: session.state() };
    },

    'session.marks': async ({ session: id, locked, hidden }) => {
      const session = await sessions.get(id);
      await session.setMarks({ locked, hidden });
      return { result: session.state() };
    },

    'session.region': async ({ session: id, region }) => {
      const session = await sessions.get(id);
      if (await session.setRegion(region)) {
        events.segmented(session);
      }
      return { result: session.state() };
    },

    'session.choice': async params => {
      const session = await sessions.get(params.session);
      await classifiers.choose(session, params);
      return { result: session.state() };
    },

    'session.live': async ({ session: id, on, view }, { peer }) => {
      const session = await sessions.get(id);
      if (view) {
        peer.views.set(id, viewOf(session, view));
      }
      await live.set(session, on);
      events.changed(session);
      return { result: session.state() };
    },

    'session.view': async ({ session: id, view }, { peer }) => {
      const session = await sessions.get(id);
      if (view) {
        peer.views.set(id, viewOf(session, view));
        live.viewed(session);
      } else {
        peer.views.delete(id);
      }
      return { result: {} };
    },

    'session.fresh': async (params, call) => {
      const session = await sessions.get(params.session);
      await jobs.endLearning(session.id);
      await events.aroundReplacement(session, () => session.fresh(madeBy(call, 'fresh')));
      return { result: session.state() };
    }
  } satisfies Partial<Handlers>;
}
