/**
 * The handlers of the protocol's methods, one file for each topic. A handler reads its params, calls the sessions and the parts that
 * compute, tells other peers, and answers. It holds no state and computes nothing itself.
 *
 * A new method is an entry in `src/shared/protocol/<topic>.ts` and a handler in `<topic>.ts` here; the compiler reports a method without a handler.
 *
 * - `context.ts` makes the objects that the handlers use; `checks.ts` checks what the form of the params cannot say
 * - `sidecar.ts` hello, status, cancel, shutdown
 * - `session.ts` opening and attaching, classes, choice, live segmentation, views
 * - `session-list.ts` all sessions, related ones, and taking labels from one; `backups.ts` labels that were set aside; `class-sets.ts` class sets
 * - `image.ts` pixels and staged arrays; `labels.ts` patches, labels as a whole, overlay tiles
 * - `history.ts` undo and redo; `correction.ts` cleaning, using and clearing the correction
 * - `sam.ts` embeddings, decoder, suggestions; `object-at.ts` the object at a pixel, for prompts
 * - `training.ts` train, segment, features; `classifier.ts` files and application; `next-region.ts` uncertainty and regions
 * - `phases.ts` phase fractions with intervals
 *
 * This folder may import all others of `kernel-server/src`.
 */
import { Handlers } from '../transport/dispatcher';
import { backupHandlers } from './backups';
import { classSetHandlers } from './class-sets';
import { classifierHandlers } from './classifier';
import { correctionHandlers } from './correction';
import { createContext, IMethodOptions } from './context';
import { historyHandlers } from './history';
import { imageHandlers } from './image';
import { labelsHandlers } from './labels';
import { nextRegionHandlers } from './next-region';
import { objectAtHandlers } from './object-at';
import { phaseHandlers } from './phases';
import { samHandlers } from './sam';
import { sessionListHandlers } from './session-list';
import { sessionHandlers } from './session';
import { sidecarHandlers } from './sidecar';
import { trainingHandlers } from './training';

/** The handler of every method. */
export function createHandlers(options: IMethodOptions): Handlers {
  const context = createContext(options);
  return {
    ...sidecarHandlers(context),
    ...sessionHandlers(context),
    ...sessionListHandlers(context),
    ...classSetHandlers(context),
    ...backupHandlers(context),
    ...imageHandlers(context),
    ...labelsHandlers(context),
    ...correctionHandlers(context),
    ...historyHandlers(context),
    ...samHandlers(context),
    ...objectAtHandlers(context),
    ...trainingHandlers(context),
    ...classifierHandlers(context),
    ...nextRegionHandlers(context),
    ...phaseHandlers(context)
  };
}
