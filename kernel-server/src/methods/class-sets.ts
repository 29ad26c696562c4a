/** Handlers of class sets. */
import { classesOfSet } from '../session/class-sets';
import { Handlers, madeBy } from '../transport/dispatcher';
import { IMethodContext } from './context';

export function classSetHandlers({ sessions, classSets }: IMethodContext) {
  return {
    'class-sets.list': async () => ({ result: { sets: await classSets.list() } }),

    'class-sets.save': async ({ name, classes }) => {
      await classSets.save({ name, classes });
      return { result: {} };
    },

    'class-sets.remove': async ({ name }) => {
      await classSets.remove(name);
      return { result: {} };
    },

    'class-sets.use': async (params, call) => {
      const session = await sessions.get(params.session);
      const set = await classSets.get(params.name);
      const { classes, labels, correction, segmentation } = session.state();
      const counted = [labels.counts, correction?.counts ?? {}].flatMap(counts => Object.entries(counts));
      const labelled = new Set(counted.filter(([, count]) => count > 0).map(([id]) => Number(id)));
      const shown = new Set(segmentation?.classifier.classes.map(({ id }) => id));
      await session.setClasses(classesOfSet(classes, set, labelled, shown), madeBy(call, 'use_classes'));
      return { result: session.state() };
    }
  } satisfies Partial<Handlers>;
}
