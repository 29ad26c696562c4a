/** The sidecar's address, and the connection file that publishes it. */
import { randomBytes } from 'node:crypto';
import { chmod, readdir, readFile, rm, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { curveKeyPair, Router } from 'zeromq';
import { PROTOCOL_VERSION } from '../../../src/shared/frames';
import { explainStorage, writeAtomically } from '../base/files';
import { temporaryFolder } from '../base/private-directory';
import { machine } from '../base/machine';

/** Unix socket paths end at 107 bytes on Linux and 103 on macOS. */
const SOCKET_PATH_MAX = 100;

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

function connectionFile(runtimeDir: string): string {
  return join(runtimeDir, `sidecar-${PROTOCOL_VERSION}.json`);
}

/** Write the connection file. Returns a function that removes the file unless another sidecar has replaced it. */
export async function writeConnectionFile(
  runtimeDir: string,
  content: { endpoint: IEndpoint; secret: string; instance: string; version: string }
): Promise<() => Promise<void>> {
  const path = connectionFile(runtimeDir);
  const { endpoint, secret, instance, version } = content;
  const json = {
    protocol: PROTOCOL_VERSION,
    endpoint: endpoint.address,
    secret,
    pid: process.pid,
    host: hostname(),
    machine,
    instance,
    version,
    ...(endpoint.curve ? { curve: endpoint.curve } : {})
  };
  const text = JSON.stringify(json, undefined, 2) + '\n';
  await writeAtomically(path, text).catch(async error => {
    throw await explainStorage(error, path, Buffer.byteLength(text), 'runtime');
  });
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

/** Remove the sockets of killed sidecars: connections to them are refused. So are connections to another computer's, which stay. */
async function removeStaleSockets(directory: string): Promise<void> {
  const published = await readFile(connectionFile(directory), 'utf8')
    .then(
      text => JSON.parse(text) as { machine?: unknown; endpoint?: unknown },
      () => undefined
    )
    .catch(() => undefined);
  const foreign = published?.machine === machine ? undefined : published?.endpoint;
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (!/^s-[0-9a-f]+\.sock$/.test(name) || foreign === `ipc://${path}`) {
      continue;
    }
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
