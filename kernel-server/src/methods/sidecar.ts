/** Handlers about the sidecar itself and its requests. */
import { PROTOCOL_VERSION } from '../../../src/shared/frames';
import { VERSION } from '../base/version';
import { Handlers } from '../transport/dispatcher';
import { IMethodContext } from './context';

/** Milliseconds for the reply to `shutdown` to go out before the sidecar stops. */
const LEAVE_MS = 50;

export function sidecarHandlers({
  instance,
  dataDir,
  engine,
  sam,
  store,
  sessions,
  jobs,
  peers,
  leave
}: IMethodContext) {
  return {
    hello: () => ({ result: { version: VERSION, protocol: PROTOCOL_VERSION, pid: process.pid, instance } }),

    leave: (_, { peer }) => {
      peers.drop(peer);
      return { result: {} };
    },

    ping: () => ({ result: {} }),

    status: () => ({
      result: {
        version: VERSION,
        pid: process.pid,
        samPid: sam.pid,
        uptime: process.uptime(),
        threads: engine.threads,
        sessions: sessions.ids,
        sam: sam.device,
        arraysDir: store.directory,
        dataDir,
        residentBytes: process.memoryUsage.rss()
      }
    }),

    shutdown: () => {
      setTimeout(leave, LEAVE_MS);
      return { result: {} };
    },

    cancel: ({ id }, { peer }) => {
      const here = peer.requests.cancel(id);
      return { result: { found: here || jobs.cancel(id) } };
    }
  } satisfies Partial<Handlers>;
}
