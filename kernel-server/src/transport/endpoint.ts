/** The sidecar's address, the connection file that publishes it, and the guard that keeps a data directory to one sidecar. */
import { createHash, randomBytes } from 'node:crypto';
import { chmod, readdir, readFile, rm, unlink } from 'node:fs/promises';
import { connect, createServer, Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { curveKeyPair, Router } from 'zeromq';
import { PROTOCOL_VERSION } from '../../../src/shared/frames';
import { writeAtomically } from '../base/files';
import { temporaryFolder } from '../base/private-directory';
import { log } from '../base/log';

/** Unix socket paths end at 107 bytes on Linux and 103 on macOS. */
const SOCKET_PATH_MAX = 100;
/** Time to wait for another sidecar on the same data to stop, in milliseconds. */
const GUARD_WAIT_MS = 5000;

/** Keys of a CURVE connection, Z85. A client uses `serverKey` and the pair. */
export interface ICurveKeys {
  serverKey: string;
  publicKey: string;
  secretKey: string;
}

/** A bound endpoint. */
export interface IEndpoint {
  address: string;
  curve?: ICurveKeys;
  /** Remove the endpoint's files. */
  remove(): Promise<void>;
}

/** Bind the socket: in an owner-only folder, or on the loopback with CURVE keys. */
export async function bind(socket: Router, runtimeDir: string, transport: 'ipc' | 'tcp'): Promise<IEndpoint> {
  if (transport === 'tcp') {
    const server = curveKeyPair();
    const client = curveKeyPair();
    socket.curveServer = true;
    socket.curveSecretKey = server.secretKey;
    await socket.bind('tcp://127.0.0.1:*');
    const curve = { serverKey: server.publicKey, publicKey: client.publicKey, secretKey: client.secretKey };
    return { address: socket.lastEndpoint!, curve, remove: async () => undefined };
  }
  await removeStaleSockets(runtimeDir);
  const name = `s-${randomBytes(6).toString('hex')}.sock`;
  let directory = runtimeDir;
  let temporary: string | undefined;
  if (Buffer.byteLength(join(directory, name)) > SOCKET_PATH_MAX) {
    temporary = directory = await temporaryFolder();
  }
  const path = join(directory, name);
  await socket.bind(`ipc://${path}`);
  await chmod(path, 0o600);
  return {
    address: `ipc://${path}`,
    remove: async () => {
      await unlink(path).catch(() => undefined);
      if (temporary) {
        await rm(temporary, { recursive: true, force: true });
      }
    }
  };
}

/** Write the connection file. Returns a function that removes the file unless another sidecar has replaced it. */
export async function writeConnectionFile(
  runtimeDir: string,
  content: { endpoint: IEndpoint; secret: string; instance: string; version: string }
): Promise<() => Promise<void>> {
  const path = join(runtimeDir, `sidecar-${PROTOCOL_VERSION}.json`);
  const { endpoint, secret, instance, version } = content;
  const json = {
    protocol: PROTOCOL_VERSION,
    endpoint: endpoint.address,
    secret,
    pid: process.pid,
    host: hostname(),
    instance,
    version,
    ...(endpoint.curve ? { curve: endpoint.curve } : {})
  };
  await writeAtomically(path, JSON.stringify(json, undefined, 2) + '\n');
  return async () => {
    try {
      if ((JSON.parse(await readFile(path, 'utf8')) as { instance?: unknown }).instance === instance) {
        await unlink(path);
      }
    } catch {
      // the file is gone, or it is another sidecar's
    }
  };
}

/**
 * Keep a data directory to one sidecar of this host, because two would write into the same journals. The guard is a socket name, which the
 * system frees when the process ends, even by a crash.
 *
 * @throws Error if another sidecar holds the name and does not stop.
 */
export async function guardDataDirectory(dataDir: string): Promise<Server | undefined> {
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 24);
  const name = `sambalab-${process.getuid?.() ?? 'user'}-${hash}`;
  const path =
    process.platform === 'linux' ? `\0${name}` : process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : undefined;
  if (!path) {
    return undefined; // macOS has no such names; there the only guard is Python's lock around starting a sidecar
  }
  const deadline = Date.now() + GUARD_WAIT_MS;
  for (;;) {
    const server = createServer(connection => connection.destroy());
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(path, resolve);
      });
      server.unref();
      return server;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') {
        log('the data directory is not guarded', error);
        return undefined;
      }
      if (Date.now() > deadline) {
        throw new Error(`Another sidecar uses the data directory ${dataDir}. Stop it, or choose another directory.`);
      }
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }
}

/** Remove the sockets of killed sidecars: connections to them are refused. */
async function removeStaleSockets(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!/^s-[0-9a-f]+\.sock$/.test(name)) {
      continue;
    }
    const path = join(directory, name);
    const refused = await new Promise<boolean>(resolve => {
      const probe = connect(path);
      probe.once('connect', () => probe.destroy());
      probe.once('error', error => resolve((error as NodeJS.ErrnoException).code === 'ECONNREFUSED'));
      probe.once('close', () => resolve(false));
      setTimeout(() => probe.destroy(), 500).unref();
    });
    if (refused) {
      await unlink(path).catch(() => undefined);
    }
  }
}
