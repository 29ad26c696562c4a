/** What the decoder's workers share, whatever runs the decoder in them: they answer one message after the other. */
import { ICandidates, IPrompts, ISize, traitsOf } from '../../sam';
import type { DecoderManifest } from '../../shared/models';
import type { FromDecoderWorker, ToDecoderWorker } from './decoder-messages';

/** The part of a worker's global scope that is used here; TypeScript's types for it clash with the page's. */
interface IWorkerScope {
  postMessage(message: FromDecoderWorker, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToDecoderWorker>) => void) | null;
}

/** Answer the worker's messages, one at a time: the runtimes are not re-entrant. */
export function answerMessages(answer: (message: ToDecoderWorker) => Promise<ICandidates | undefined>): void {
  const scope = self as unknown as IWorkerScope;
  let last: Promise<void> = Promise.resolve();
  const work = async (message: ToDecoderWorker): Promise<void> => {
    try {
      const candidates = await answer(message);
      if (candidates) {
        const { lowRes, single } = candidates;
        const transfer = [...lowRes, ...(single ? [single.lowRes] : [])].map(logits => logits.buffer as ArrayBuffer);
        scope.postMessage({ kind: 'done', id: message.id, candidates }, transfer);
      } else {
        scope.postMessage({ kind: 'done', id: message.id });
      }
    } catch (error) {
      scope.postMessage({
        kind: 'error',
        id: message.id,
        message: error instanceof Error ? error.message : String(error)
      });
    }
  };
  scope.onmessage = ({ data }) => {
    last = last.then(() => work(data));
  };
}

/** The answer to a single point with what its scales are judged by, which would take the page's thread some milliseconds. */
export function judged(
  candidates: ICandidates,
  size: ISize,
  { points, box }: IPrompts,
  manifest: DecoderManifest
): ICandidates {
  const [at] = points;
  if (!at || points.length > 1 || box) {
    return candidates;
  }
  return { ...candidates, traits: traitsOf(candidates.lowRes, at, size, manifest) };
}
