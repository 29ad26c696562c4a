/** The queue of the ROUTER socket, with real sockets. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Dealer } from 'zeromq';
import { Peer } from '../peers';
import { createSocket, SendQueue } from '../socket';

it('A message to the only peer settles when that peer is gone, and the peer is told of as unreachable', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sl-socket-'));
  const endpoint = `ipc://${join(folder, 's.sock')}`;
  const router = createSocket();
  await router.bind(endpoint);
  const gone: Peer[] = [];
  const queue = new SendQueue(router, peer => gone.push(peer));
  try {
    const dealer = new Dealer({ linger: 0 });
    dealer.connect(endpoint);
    await dealer.send('hello');
    const [identity] = await router.receive();
    const peer = new Peer(Buffer.from(identity!), 60000);
    await queue.send(peer, [[new Uint8Array([1])]]);
    expect(await dealer.receive()).toEqual([Buffer.from([1])]);
    expect(gone).toEqual([]);
    dealer.close();
    while (router.writable) {
      await new Promise(resolve => setTimeout(resolve, 20)); // until the socket knows that it is connected to nobody
    }
    await queue.send(peer, [[new Uint8Array([2])]]);
    expect(gone).toEqual([peer]);

    // Another peer, that comes afterwards, is served.
    const next = new Dealer({ linger: 0 });
    next.connect(endpoint);
    await next.send('hello');
    const [other] = await router.receive();
    await queue.send(new Peer(Buffer.from(other!), 60000), [[new Uint8Array([3])]]);
    expect(await next.receive()).toEqual([Buffer.from([3])]);
    next.close();
  } finally {
    router.close();
    rmSync(folder, { recursive: true });
  }
});
