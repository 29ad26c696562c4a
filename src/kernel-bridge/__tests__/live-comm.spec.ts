import { Frames } from '../../shared/frames';
import { COMM_TARGET, ICommLike, IKernelLike, LiveComm } from '../live-comm';

class FakeComm implements ICommLike {
  readonly log: string[] = [];
  readonly sent: Frames[] = [];
  onMsg: ICommLike['onMsg'] = () => undefined;
  onClose: (message: never) => unknown = () => undefined;
  constructor(
    readonly subshellStarted: Promise<void>,
    private readonly _heard: Promise<void> = Promise.resolve()
  ) {}
  open(): void {
    this.log.push('open');
  }
  send(_data: object, _metadata?: object, buffers?: (ArrayBuffer | ArrayBufferView)[]): void {
    this.sent.push((buffers ?? []) as Frames);
  }
  close(): { done: Promise<void> } {
    this.log.push('close');
    return { done: this._heard };
  }
  dispose(): void {
    this.log.push('dispose');
  }
}

function kernelWith(comm: FakeComm, supportsSubshells: boolean): IKernelLike {
  return {
    info: Promise.resolve({}),
    supportsSubshells,
    createComm: target => {
      comm.log.push(`create ${target}`);
      return comm;
    }
  };
}

describe('LiveComm', () => {
  it('opens only after the subshell has started', async () => {
    let start: () => void = () => undefined;
    const comm = new FakeComm(new Promise<void>(resolve => (start = resolve)));
    const opening = LiveComm.open(kernelWith(comm, true));
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(comm.log).toEqual([`create ${COMM_TARGET}`]);
    start();
    await opening;
    expect(comm.log.filter(entry => !entry.startsWith('create'))).toEqual(['open']);
  });

  it('keeps the subshell until the kernel has received the message that closes the comm', async () => {
    let hear: () => void = () => undefined;
    const comm = new FakeComm(Promise.resolve(), new Promise<void>(resolve => (hear = resolve)));
    const keeper = new FakeComm(Promise.resolve());
    const made = [comm, keeper];
    const kernel = { info: Promise.resolve(), supportsSubshells: true, createComm: () => made.shift()! };
    const transport = await LiveComm.open(kernel);
    transport.dispose();
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(comm.log).toEqual(['open', 'close']);
    expect(keeper.log).toEqual([]);
    hear();
    await new Promise(resolve => setTimeout(resolve, 0));
    expect(keeper.log).toEqual(['dispose']);
  });

  it('treats a dead kernel as a closed comm, without an error', async () => {
    const comm = new FakeComm(Promise.resolve());
    const transport = await LiveComm.open(kernelWith(comm, false));
    comm.send = comm.close = () => {
      throw new Error('Kernel is dead');
    };
    const other = new LiveComm(comm);
    let closed = 0;
    transport.closed.connect(() => void closed++);
    transport.send([new Uint8Array([7])]);
    transport.send([new Uint8Array([7])]);
    expect(closed).toBe(1);
    expect(() => other.dispose()).not.toThrow();
  });

  it('opens at once on a kernel without subshells, where subshellStarted never settles', async () => {
    const comm = new FakeComm(new Promise(() => undefined));
    await LiveComm.open(kernelWith(comm, false));
    expect(comm.log).toContain('open');
  });

  it('passes frames both ways as bytes, also from a view into a larger buffer', async () => {
    const comm = new FakeComm(Promise.resolve());
    const transport = await LiveComm.open(kernelWith(comm, true));
    const received: Frames[] = [];
    transport.received.connect((_, frames) => void received.push(frames));
    comm.onMsg({ buffers: [new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2), new Uint8Array([9]).buffer] });
    expect(received.map(frames => frames.map(frame => [...frame]))).toEqual([[[2, 3], [9]]]);
    transport.send([new Uint8Array([7])]);
    expect(comm.sent).toEqual([[new Uint8Array([7])]]);
  });

  it('reports that the kernel closed it, and sends nothing afterwards', async () => {
    const comm = new FakeComm(Promise.resolve());
    const transport = await LiveComm.open(kernelWith(comm, true));
    let closed = 0;
    transport.closed.connect(() => void closed++);
    comm.onClose(undefined as never);
    transport.send([new Uint8Array([7])]);
    transport.dispose();
    expect(closed).toBe(1);
    expect(comm.sent).toHaveLength(0);
    expect(comm.log).not.toContain('close');
  });
});
