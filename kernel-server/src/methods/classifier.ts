/** Handlers of classifiers: their files, and what they say of images that are handed over. */
import { IEngineService } from '../jobs/services';
import { Handlers } from '../transport/dispatcher';
import { classifierOf, imageOf } from './checks';
import { IMethodContext } from './context';

export function classifierHandlers({ engine, sessions, staging, events, classifiers, compute }: IMethodContext) {
  return {
    'classifier.formats': () => ({ result: { formats: engine.formats() } }),

    'classifier.export': async params => {
      const { json } = await classifiers.of(await sessions.get(params.session));
      return fileOf(engine, json, params.format);
    },

    'classifier.convert': ({ format }, call) => fileOf(engine, classifierOf(call), format),

    'classifier.read': ({ meaning }, call) => {
      const json = engine.read(classifierOf(call), meaning);
      return { result: { ...engine.describe(json).info, labelsVersion: 0, seconds: 0 }, buffers: [json] };
    },

    'classifier.load': async (params, call) => {
      const session = await sessions.get(params.session);
      await classifiers.load(session, classifierOf(call), call);
      events.segmented(session);
      return { result: session.state() };
    },

    'classifier.get': async params => {
      const { info, json } = await classifiers.of(await sessions.get(params.session));
      return { result: info, buffers: [json] };
    },

    'classifier.embedding': async ({ staged: id }, call) => {
      const image = imageOf(staging.get(call.peer, id));
      const made: string[] = [];
      const make = async (shape: number[]) => {
        const staged = await staging.make(call.peer, 'float32', shape);
        made.push(staged.staged);
        return staged;
      };
      try {
        return { result: await compute.classifierEmbedding(classifierOf(call), image, make, call.signal) };
      } catch (error) {
        await Promise.all(made.map(staged => staging.release(call.peer, staged)));
        throw error;
      }
    },

    'classifier.apply': async ({ staged: id, output }, call) => {
      const image = imageOf(staging.get(call.peer, id));
      const classifier = classifierOf(call);
      const classes = engine.classesOf(classifier);
      const shape = image.shape.slice(0, 3);
      const { staged, array } =
        output === 'labels'
          ? await staging.make(call.peer, 'uint8', shape)
          : await staging.make(call.peer, 'float32', [...shape, classes.length]);
      try {
        await compute.apply(classifier, image, array, output, call.signal);
      } catch (error) {
        await staging.release(call.peer, staged);
        throw error;
      }
      return { result: { staged, array } };
    }
  } satisfies Partial<Handlers>;
}

/** The answer with a classifier's file in the format of that name. */
function fileOf(engine: IEngineService, classifier: Uint8Array, name: string) {
  const { mediaType, extension } = engine.format(name);
  return { result: { mediaType, extension }, buffers: [engine.convert(classifier, name)] };
}
