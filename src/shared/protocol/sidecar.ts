/** Methods of the connection and of the sidecar as a process. */
import { z } from 'zod';
import { zSamDevice } from './sam-device';
import { MethodTable, zCount, zNatural, zSessionId } from './types';

export const SIDECAR_METHODS = {
  /** The first request of each connection. A ZeroMQ peer proves itself by `secret`, from the connection file; a relay sends it for its browser. */
  hello: {
    params: z.object({
      role: z.enum(['python', 'relay', 'browser']),
      secret: z.string().optional(),
      version: z.string()
    }),
    result: z.object({ version: z.string(), protocol: zNatural, pid: zNatural, instance: z.string() }),
    repeat: true
  },
  /** The last request of a connection: its page was closed. Work ahead of that page's need ends. */
  leave: { params: z.object({}), result: z.object({}), repeat: true },
  ping: { params: z.object({}), result: z.object({}), repeat: true },
  status: {
    params: z.object({}),
    result: z.object({
      version: z.string(),
      pid: zNatural,
      /** Process id of the SAM process; null while none runs. */
      samPid: zNatural.nullable(),
      uptime: z.number(),
      threads: zNatural,
      sessions: z.array(zSessionId),
      /** Null until the model is first needed. */
      sam: zSamDevice.nullable(),
      arraysDir: z.string(),
      dataDir: z.string(),
      residentBytes: zCount
    }),
    repeat: true
  },
  shutdown: { params: z.object({}), result: z.object({}) },
  /** Cancel the running request with this id; it fails with `cancelled`. */
  cancel: { params: z.object({ id: z.string() }), result: z.object({ found: z.boolean() }) }
} as const satisfies MethodTable;
