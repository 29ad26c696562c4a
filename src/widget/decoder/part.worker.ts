/** A web worker that shares the decodes of the decoder's worker. */
import { Part } from './part';
import type { FromPart, ToPart } from './part-messages';

/** The part of a worker's global scope that is used here; TypeScript's types for it clash with the page's. */
interface IWorkerScope {
  postMessage(message: FromPart, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToPart>) => void) | null;
}

const scope = self as unknown as IWorkerScope;
let part: Part | undefined;

async function answer(message: ToPart): Promise<void> {
  try {
    if (message.kind === 'be-part') {
      part = new Part(message);
      scope.postMessage({ kind: 'ready' });
      return;
    }
    const found = await part!.answer(message);
    if (found) {
      scope.postMessage(found, found.kind === 'masks' ? [found.masks.logits.buffer as ArrayBuffer] : []);
    }
  } catch (error) {
    scope.postMessage({ kind: 'error', message: error instanceof Error ? error.message : String(error) });
  }
}

// In the order in which they come: an embedding before its decodes.
let last: Promise<void> = Promise.resolve();
scope.onmessage = ({ data }) => {
  last = last.then(() => answer(data));
};
