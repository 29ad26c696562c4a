/** Every method of the protocol, in terms of sessions and jobs. */
import { readFile } from 'node:fs/promises';
import { BridgeError } from '../../src/shared/errors';
import { PROTOCOL_VERSION } from '../../src/shared/frames';
import { ArrayDescriptor } from '../../src/shared/protocol';
import { toFloat16 } from '../../src/sam/float16';
import { ArrayStore } from './arrays/array-store';
import { ComputeJobs } from './learning/compute-jobs';
import { Handlers, ICall } from './transport/dispatcher';
import { IEngineService, ISamService } from './jobs/interfaces';
import { Jobs } from './jobs/jobs';
import { LiveSessions, viewOf } from './learning/live-rounds';
import { deflateTile, overlayTiles } from './session/overlays';
import { Peers } from './transport/peers';
import { Regions } from './next-region/regions';
import { Session } from './session/session';
import { Sessions } from './session/sessions';
import { Staging } from './transport/staging';
import { TileFile } from './arrays/tile-file';
import { Uncertainty } from './next-region/uncertainty';
import { VERSION } from './base/version';

/** What the methods work with. */
export interface IMethodOptions {
  instance: string;
  dataDir: string;
  engine: IEngineService;
  sam: ISamService;
  store: ArrayStore;
  sessions: Sessions;
  peers: Peers;
  jobs: Jobs;
  compute: ComputeJobs;
  staging: Staging;
  /** Tells `session` events at a bearable rate. */
  changed(session: Session): void;
  /** Leave, once the reply is out. */
  leave(): void;
}

/** The handlers. */
export function createHandlers(options: IMethodOptions): Handlers {
  const { engine, sam, store, sessions, peers, jobs, compute, staging } = options;
  const { classifiers, embeddings } = compute;
  const uncertainty = new Uncertainty({ engine, store, classifiers });
  const regions = new Regions({ engine, jobs, uncertainty, embeddings });

  const pythonOnly = (call: ICall, method: string) => {
    if (call.peer.role !== 'python') {
      throw new BridgeError('unauthorized', `${method} is for Python; this peer is a ${call.peer.role}.`);
    }
  };

  /** Tell everybody that a segmentation is new. */
  const segmented = ({ id, record }: Session, round?: number) =>
    peers.emit(id, 'segmentation', {
      session: id,
      version: record.segmentationVersion,
      ...(round !== undefined && { round })
    });

  const { learner } = classifiers;
  const live = new LiveSessions({ engine, store, jobs, peers, learner, embeddings, segmented });

  /** Work that replaces the labels as a whole and brings the segmentation along; then everybody is told. */
  const replacing = async <T>(session: Session, work: () => Promise<T>): Promise<T> => {
    const before = session.labels.version;
    try {
      return await work();
    } finally {
      // Also if something failed after that, a full disk say.
      if (session.labels.version !== before) {
        peers.emit(session.id, 'labels', { session: session.id, version: session.labels.version });
        options.changed(session);
      }
    }
  };

  return {
    hello: () => ({
      result: { version: VERSION, protocol: PROTOCOL_VERSION, pid: process.pid, instance: options.instance }
    }),

    ping: () => ({ result: {} }),

    status: () => ({
      result: {
        version: VERSION,
        pid: process.pid,
        computePid: sam.pid,
        uptime: process.uptime(),
        threads: engine.threads,
        sessions: sessions.ids,
        sam: sam.device,
        arraysDir: store.directory,
        dataDir: options.dataDir,
        residentBytes: process.memoryUsage.rss()
      }
    }),

    shutdown: () => {
      setTimeout(options.leave, 50); // the reply goes first
      return { result: {} };
    },

    cancel: ({ id }, { peer }) => {
      const here = peer.requests.cancel(id);
      return { result: { found: here || jobs.cancel(id) } };
    },

    'session.open': async (params, call) => {
      pythonOnly(call, 'session.open');
      const resumes = !params.again && !(await peers.uses(sessions.idOf(params.key)));
      const session = await sessions.open(params, resumes);
      if (params.fresh) {
        peers.emit(session.id, 'labels', { session: session.id, version: session.labels.version });
      }
      call.peer.attached.add(session.id);
      live.attended(session);
      return { result: session.state() };
    },

    'session.attach': async (params, { peer }) => {
      const session = await sessions.get(params.session);
      peer.attached.add(session.id);
      live.attended(session);
      return { result: session.state() };
    },

    'session.detach': async (params, { peer }) => {
      peer.attached.delete(params.session);
      peer.views.delete(params.session);
      if (peer.role === 'python' && !peers.attends(params.session, 'python')) {
        await sessions.forgetFeatures(params.session);
      }
      return { result: {} };
    },

    'session.classes': async params => {
      const session = await sessions.get(params.session);
      await session.setClasses(params.classes);
      return { result: session.state() };
    },

    'session.live': async ({ session: id, on, view }, { peer }) => {
      const session = await sessions.get(id);
      if (view) {
        peer.views.set(id, viewOf(session, view));
      }
      await live.set(session, on);
      options.changed(session);
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

    'uncertainty.tiles': async (params, call) => {
      const session = await sessions.get(params.session);
      const { segmentationVersion: version } = session.record;
      const tiles = await uncertainty.tiles(session, params, call.signal);
      return { result: { version, low: 0, high: 1 }, buffers: await Promise.all(tiles.map(deflateTile)) };
    },

    regions: async (params, call) => ({ result: await regions.find(await sessions.get(params.session), params, call) }),

    'session.fresh': async params => {
      const session = await sessions.get(params.session);
      await replacing(session, () => session.fresh());
      return { result: session.state() };
    },

    'image.ready': async (params, call) => {
      pythonOnly(call, 'image.ready');
      const session = await sessions.get(params.session);
      await session.imageIsReady();
      return { result: session.state() };
    },

    'image.tile': async params => {
      const session = await sessions.get(params.session);
      const tile = await session.pyramid.tile(params.slice, params.level, params.row, params.column);
      const { rows, columns, channels, dtype, pixels } = tile;
      return { result: { rows, columns, channels, dtype }, buffers: [pixels] };
    },

    'labels.patch': async ({ session: id, ...patch }, call) => {
      const session = await sessions.get(id);
      if (patch.class !== 0 && !session.classIds.has(patch.class)) {
        const ids = [...session.classIds].join(', ');
        throw new BridgeError('invalid', `There is no class ${patch.class}; the classes are ${ids}, and 0 erases.`);
      }
      const result = await session.labels.patch(call.id, patch, call.buffers);
      const event = { origin: call.peer.name, version: result.version, patch: { session: id, ...patch } };
      peers.emit(id, 'patch', event, { buffers: call.buffers, except: call.peer });
      options.changed(session);
      return { result };
    },

    'labels.set': async (params, { peer }) => {
      const session = await sessions.get(params.session);
      const staged = staging.get(peer, params.staged);
      const { shape } = session.labels.array;
      if (staged.dtype !== 'uint8' || staged.shape.join() !== shape.join()) {
        throw new BridgeError(
          'invalid',
          `The labels are ${staged.dtype} of shape [${staged.shape.join(', ')}]; they must be uint8 of shape [${shape.join(', ')}].`
        );
      }
      const result = await replacing(session, async () => {
        const replaced = await session.labels.replace(staged, session.classIds);
        await session.recombine();
        return replaced;
      });
      return { result };
    },

    'overlay.tiles': async params => {
      const session = await sessions.get(params.session);
      session.checkSlice(params.slice);
      const array = session.array(params.overlay);
      if (!array) {
        throw new BridgeError(
          'not-ready',
          'There is no segmentation yet. Label a few pixels of two classes and train.'
        );
      }
      const { labels, segmentation } = session.state();
      const version = params.overlay === 'labels' ? labels.version : (segmentation?.version ?? 0);
      const { tiles, buffers } = await overlayTiles(array, params.slice, params.tiles);
      return { result: { version, tiles }, buffers };
    },

    'array.stage': async ({ dtype, shape }, { peer }) => ({ result: await staging.make(peer, dtype, shape) }),

    'array.release': async ({ staged }, { peer }) => {
      await staging.release(peer, staged);
      return { result: {} };
    },

    'sam.embed': async ({ session: id, slice }, call) => {
      const session = await sessions.get(id);
      const { device, seconds } = await embeddings.whole(session, slice, call);
      return { result: { device, seconds, array: session.array('embedding')! } };
    },

    'sam.embedding': async ({ session, slice }, call) => {
      const { device, seconds, embedding } = await embeddings.whole(await sessions.get(session), slice, call);
      const halves = toFloat16(embedding);
      return { result: { device, seconds, shape: [256, 64, 64] }, buffers: [new Uint8Array(halves.buffer)] };
    },

    'sam.decoder': async ({ known }) => {
      const { model, digest, bytes, path } = await sam.decoder();
      const result = { model, digest, bytes };
      return known === digest ? { result } : { result, buffers: [await readFile(path)] };
    },

    'sam.suggest': async (params, call) => {
      const session = await sessions.get(params.session);
      const { masks, shape, scores } = await compute.suggest(session, params, call);
      const { staged, array } = await staging.make(call.peer, 'uint8', shape);
      const file = new TileFile(array, 'r+');
      try {
        file.writeBytes(0, masks);
      } finally {
        file.close();
      }
      return { result: { staged, array, scores } };
    },

    'session.choice': async params => {
      const session = await sessions.get(params.session);
      await classifiers.choose(session, params);
      return { result: session.state() };
    },

    train: async (params, call) => {
      const ids = new Set([params.session, ...(params.others ?? [])]);
      const taking = await Promise.all([...ids].map(id => sessions.get(id)));
      await classifiers.train(taking, params, call);
      taking.forEach(taken => segmented(taken));
      return { result: taking[0]!.state() };
    },

    segment: async (params, call) => {
      const session = await sessions.get(params.session);
      if (await classifiers.segment(session, params.arrays, call)) {
        segmented(session);
      }
      return { result: session.state() };
    },

    features: async (params, call) => ({
      result: await compute.features(await sessions.get(params.session), params, call)
    }),

    'feature.tiles': async (params, call) => {
      const session = await sessions.get(params.session);
      const { name, low, high, tiles } = await compute.featureTiles(session, params, call.signal);
      return { result: { name, low, high }, buffers: await Promise.all(tiles.map(deflateTile)) };
    },

    'classifier.export': async params => {
      const { json } = await classifiers.of(await sessions.get(params.session));
      return converted(engine, json, params.format);
    },

    'classifier.convert': ({ format }, call) => converted(engine, classifierOf(call), format),

    'classifier.read': ({ meaning }, call) => {
      const json = engine.read(classifierOf(call), meaning);
      return { result: { ...engine.describe(json).info, labelsVersion: 0, seconds: 0 }, buffers: [json] };
    },

    'classifier.load': async (params, call) => {
      const session = await sessions.get(params.session);
      await classifiers.load(session, classifierOf(call), call);
      segmented(session);
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
  };
}

/** A classifier in another format, and what such a file is called and sent as. */
function converted(engine: IEngineService, json: Uint8Array, name: string) {
  const { mediaType, extension } = engine.format(name);
  return { result: { mediaType, extension }, buffers: [engine.convert(json, name)] };
}

/** The classifier that a request brings. */
function classifierOf({ buffers }: ICall): Uint8Array {
  const [classifier] = buffers;
  if (!classifier || buffers.length !== 1) {
    throw new BridgeError('invalid', `One buffer with the classifier is needed; ${buffers.length} came.`);
  }
  return classifier;
}

/** An image that was handed over. Throws BridgeError `invalid` for an array of another kind. */
function imageOf(array: ArrayDescriptor): ArrayDescriptor {
  const channels = array.shape[3];
  if (array.shape.length !== 4 || (channels !== 1 && channels !== 3)) {
    throw new BridgeError(
      'invalid',
      `The image has shape [${array.shape.join(', ')}]; it must be [slices, rows, columns, channels] with 1 or 3 channels.`
    );
  }
  return array;
}
