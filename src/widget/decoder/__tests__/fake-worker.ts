/** The decoder's worker for tests. Not a test. */
import { FromDecoderWorker, ToDecoderWorker } from '../decoder-messages';
import { IDecoderWorker } from '../worker-route';

/** A worker that answers when the test tells it to. */
export class FakeWorker implements IDecoderWorker {
  onmessage: ((event: MessageEvent<FromDecoderWorker>) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  onmessageerror: ((event: MessageEvent) => void) | null = null;
  readonly got: ToDecoderWorker[] = [];
  terminated = false;
  /** Answer these kinds at once. */
  atOnce: string[] = ['load', 'embedding'];

  postMessage(message: ToDecoderWorker): void {
    this.got.push(message);
    if (this.atOnce.includes(message.kind)) {
      queueMicrotask(() => this.answer(message));
    }
  }

  terminate(): void {
    this.terminated = true;
  }

  answer(message: ToDecoderWorker): void {
    const candidates = { lowRes: [new Float32Array([message.id])], scores: [message.id, 0, 0], single: null };
    const done = { kind: 'done' as const, id: message.id };
    this.post(message.kind === 'suggest' ? { ...done, candidates } : done);
  }

  post(data: FromDecoderWorker): void {
    this.onmessage?.({ data } as MessageEvent<FromDecoderWorker>);
  }

  die(message: string): void {
    this.onerror?.({ message } as ErrorEvent);
  }

  get suggests(): Extract<ToDecoderWorker, { kind: 'suggest' }>[] {
    return this.got.filter(message => message.kind === 'suggest');
  }

  get embeddings(): string[] {
    return this.got.flatMap(message => (message.kind === 'embedding' ? [message.key] : []));
  }
}
