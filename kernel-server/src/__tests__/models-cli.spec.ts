/** `sambalab models`: files are added from disk and from a server, checked, and found again. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, IncomingHttpHeaders, Server } from 'node:http';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { findPromptModel } from '../../../src/shared/models';
import { runModels } from '../models-cli';
import { randomDecoder, writeRandomModel } from './support/random-model';
import { makeFolder, until } from './support/sam-fixture';

const folder = makeFolder();
const sam = findPromptModel('sam-vit-b')!;
const home = join(folder.path, 'jupyter/sambalab/models');
const added = join(home, sam.id);
const source = writeRandomModel(join(folder.path, 'source'), sam);
const files = { encoder: join(source, 'encoder.onnx'), decoder: join(source, 'decoder.onnx') };
const environment = {
  SAMBALAB_JUPYTER_PATH: join(folder.path, 'jupyter'),
  SAMBALAB_MODELS_HOME: home,
  HF_HUB_CACHE: join(folder.path, 'cache')
};

afterAll(() => folder.remove());

async function run(args: string[], more: NodeJS.ProcessEnv = {}) {
  const lines: string[] = [];
  const shown: string[] = [];
  const code = await runModels({
    args,
    env: { ...environment, ...more },
    print: line => lines.push(line),
    progress: line => line !== null && shown.push(line)
  });
  return { code, text: lines.join('\n'), shown };
}

describe('From files', () => {
  it('a model is added, listed and verified by the sums that were noted', async () => {
    expect((await run(['list'])).text).toMatch(/^mobile-sam +built in .*\n(.*\n)*sam-vit-b +not here/);
    expect(await run(['verify', sam.id])).toMatchObject({
      code: 1,
      text: expect.stringContaining('sambalab models add')
    });
    const { code, text } = await run(['add', sam.id, files.encoder, files.decoder]);
    expect([code, text]).toEqual([0, expect.stringContaining(`SAM ViT-B is in ${added}.`)]);
    expect((await run(['list'])).text).toContain(added);
    const verified = { code: 0, text: expect.stringContaining('its SHA-256 sums are those that are known') };
    expect(await run(['verify', sam.id])).toMatchObject(verified);
    // All are verified, the built-in one too, whose decoder the build puts beside the bundle.
    const all = await run(['verify'], { SAMBALAB_DECODER: join(folder.path, 'no-decoder.onnx') });
    expect(all).toMatchObject(Object.assign(verified, { code: 1 }));
    expect(all.text).toMatch(/^mobile-sam: The model file .*no-decoder\.onnx cannot be read .*\nsam-vit-b: /);
    expect(all.text).not.toContain('No other model is here');
    expect(await run(['verify', source])).toMatchObject({
      code: 0,
      text: expect.stringContaining('no SHA-256 is known, so the weights were not checked')
    });
    // One weight is changed: the graph is as it was.
    const path = join(added, 'encoder.onnx');
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
    expect(await run(['verify', sam.id])).toMatchObject({
      code: 1,
      text: expect.stringContaining(`The file ${path} is not the one`)
    });
  });

  it('a file that is not the model is refused, and the model that was there stays', async () => {
    const before = readFileSync(join(added, 'decoder.onnx'));
    const wrong = join(folder.path, 'wrong.onnx');
    writeFileSync(wrong, randomDecoder(sam, { masks: 1 }));
    const { code, text } = await run(['add', sam.id, files.encoder, wrong]);
    expect([code, text]).toEqual([1, expect.stringContaining('without --return-single-mask')]);
    expect(readFileSync(join(added, 'decoder.onnx')).equals(before)).toBe(true);
    expect(await run(['add', 'mobile-sam', wrong, wrong])).toMatchObject({
      code: 1,
      text: expect.stringContaining('mobile-sam is built in')
    });
    // The user's file is named, not a copy of it, with what is wrong and what would do; nothing is left behind.
    const none = join(folder.path, 'none.onnx');
    expect(await run(['add', sam.id, none, files.decoder])).toEqual({
      code: 1,
      shown: [],
      text:
        `The file ${none}, given as the encoder, does not exist. The path of an ONNX file or an http:// or https:// address of one will do, ` +
        'as in `sambalab models add MODEL encoder.onnx decoder.onnx`.'
    });
    expect((await run(['add', sam.id, files.encoder, folder.path])).text).toContain(
      `${folder.path}, given as the decoder, is not a file.`
    );
    const cut = readFileSync(files.encoder).subarray(0, 100_000);
    for (const [content, why] of [
      [cut, /it is cut short: it has 100000 bytes/],
      [Buffer.from('no model'), /that of an ONNX model|not an ONNX model/]
    ] as const) {
      writeFileSync(wrong, content);
      const { text: said } = await run(['add', sam.id, wrong, files.decoder]);
      expect(said).toMatch(why);
      expect(said).toContain(`The file ${wrong} is not the encoder of SAM ViT-B: `);
      expect(said).toMatch(/A file exported by .* will do\.$/);
    }
    expect(readdirSync(home)).toEqual([sam.id]);
    expect(await run(['remove', sam.id])).toMatchObject({
      code: 2,
      text: expect.stringContaining('Usage: sambalab models list')
    });
  });
});

describe('From a server', () => {
  const asked: { url: string; headers: IncomingHttpHeaders }[] = [];
  /** Addresses whose first byte was asked for, to know whether there is a file. */
  const probed: string[] = [];
  /** Whether the server sends whole files where parts are asked for. */
  let ignoresRanges = false;
  /** Bytes after which the connection breaks. */
  let breaksAfter = Infinity;
  let server: Server;
  let address: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const url = request.url!;
      const probe = request.headers.range === 'bytes=0-0';
      if (probe) {
        probed.push(url);
      } else {
        asked.push({ url, headers: request.headers });
      }
      const path = join(source, url.slice(1));
      if (!existsSync(path) || request.method !== 'GET') {
        response.writeHead(request.method === 'GET' ? 404 : 405).end();
        return;
      }
      const bytes = readFileSync(path);
      const etag = `"${url}"`;
      if (probe && !ignoresRanges) {
        response.writeHead(206, { ETag: etag, 'Content-Range': `bytes 0-0/${bytes.length}`, 'Content-Length': 1 });
        response.end(bytes.subarray(0, 1));
        return;
      }
      if (request.headers['if-none-match'] === etag) {
        response.writeHead(304).end();
        return;
      }
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const rest = bytes.subarray(from);
      const range = { 'Content-Range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
      response.writeHead(from > 0 ? 206 : 200, { ETag: etag, 'Content-Length': rest.length, ...(from > 0 && range) });
      if (rest.length > breaksAfter) {
        response.write(rest.subarray(0, breaksAfter));
        // The client drops what it has not written yet when the connection breaks.
        const part = join(folder.path, 'downloads', `.${sam.id}.partial`, `${url.slice(1)}.part`);
        void until('the client has the bytes', () => existsSync(part) && statSync(part).size === breaksAfter).then(() =>
          response.destroy()
        );
      } else {
        response.end(rest);
      }
    }).listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => new Promise(resolve => server.close(resolve)));

  const add = (more: NodeJS.ProcessEnv = {}) =>
    run(
      ['add', sam.id, `${address}/encoder.onnx`, `${address}/decoder.onnx`, '--to', join(folder.path, 'downloads')],
      more
    );

  it('nothing is fetched where HF_HUB_OFFLINE forbids it, nor by the other commands', async () => {
    mkdirSync(join(folder.path, 'downloads'));
    for (const value of ['1', 'true', 'YES']) {
      const { code, text } = await add({ HF_HUB_OFFLINE: value });
      expect([code, text]).toEqual([1, expect.stringContaining(`HF_HUB_OFFLINE=${value} forbids downloads`)]);
    }
    await run(['list']);
    await run(['verify', 'sam-vit-l']);
    expect([asked, probed]).toEqual([[], []]);
  });

  it('a download that breaks tells how far it came, and goes on from there', async () => {
    const whole = readFileSync(files.encoder);
    breaksAfter = 300_000;
    const broken = await add();
    expect(broken).toMatchObject({
      code: 1,
      text: expect.stringMatching(/encoder\.onnx stopped after 300000 of \d+ bytes .* goes on from there/)
    });
    const partial = join(folder.path, 'downloads', `.${sam.id}.partial`);
    expect(broken.text).toContain(`Kept in ${partial} for the next try: encoder.onnx\n`);
    expect(existsSync(join(folder.path, 'downloads', sam.id))).toBe(false);
    breaksAfter = Infinity;
    asked.length = 0;
    const { code, text, shown } = await add();
    expect([code, text]).toEqual([0, expect.stringContaining('Its inputs and outputs are right')]);
    expect(asked[0]).toMatchObject({
      url: '/encoder.onnx',
      headers: { range: 'bytes=300000-', 'if-range': '"/encoder.onnx"' }
    });
    expect(asked).toHaveLength(2);
    expect(shown[0]).toMatch(/^encoder\.onnx: 0\.3 MB of [\d.]+ MB \(\d+ %\)$/);
    expect(shown[shown.length - 1]).toMatch(/^decoder\.onnx: .*\(100 %\)$/);
    const there = join(folder.path, 'downloads', sam.id);
    expect(readFileSync(join(there, 'encoder.onnx')).equals(whole)).toBe(true);
    expect(await run(['verify', there])).toMatchObject({
      code: 0,
      text: expect.stringContaining('SHA-256 sums are those')
    });
    expect(existsSync(join(there, 'encoder.onnx.download.json'))).toBe(false);
  });

  it('a wrong address shows before anything is fetched', async () => {
    asked.length = probed.length = 0;
    const to = ['--to', join(folder.path, 'nothing')];
    const missing = await run(['add', sam.id, `${address}/encoder.onnx`, `${address}/none.onnx`, ...to]);
    expect([missing.code, missing.text]).toEqual([
      1,
      `${address}/none.onnx answered 404 Not Found; the address of a file will do.`
    ]);
    expect([asked, probed]).toEqual([[], ['/encoder.onnx', '/none.onnx']]);
    expect((await run(['add', sam.id, 'http://127.0.0.1:9/a', 'http://127.0.0.1:9/b', ...to])).text).toContain(
      'cannot be reached'
    );
    const ftp = await run(['add', sam.id, files.encoder, 'ftp://example.org/decoder.onnx', ...to]);
    expect([ftp.code, ftp.text]).toEqual([
      1,
      'ftp://example.org/decoder.onnx, given as the decoder, cannot be fetched. An http:// or https:// address of an ONNX file ' +
        'or the path of one will do.'
    ]);
    expect(existsSync(to[1]!)).toBe(false);
  });

  it('a file that is complete is not fetched twice if the next one is refused, which is removed', async () => {
    const home = join(folder.path, 'again');
    const partial = join(home, `.${sam.id}.partial`);
    const to = ['--to', home];
    ignoresRanges = true;
    const wrong = await run(['add', sam.id, `${address}/encoder.onnx`, `${address}/encoder.onnx`, ...to]);
    expect(wrong).toMatchObject({ code: 1, text: expect.stringContaining('is not the decoder of SAM ViT-B') });
    expect(wrong.text).toContain(`Kept in ${partial} for the next try: encoder.onnx\n`);
    expect(readdirSync(partial).sort()).toEqual(['encoder.onnx', 'encoder.onnx.download.json']);
    asked.length = 0;
    await run(['add', sam.id, `${address}/encoder.onnx`, `${address}/decoder.onnx`, ...to]);
    ignoresRanges = false;
    expect(asked.map(({ url, headers }) => [url, headers['if-none-match']])).toEqual([
      ['/encoder.onnx', '"/encoder.onnx"'],
      ['/decoder.onnx', undefined]
    ]);
    expect(readdirSync(home)).toEqual([sam.id]);
    // A file from a server is named by its address. Nothing of it stays, nor of the folder that it came to.
    const swapped = await run(['add', sam.id, `${address}/decoder.onnx`, files.decoder, ...to]);
    expect(swapped.text).toMatch(/^The file .* is not the encoder of SAM ViT-B: it has no input .*$/);
    expect(swapped.text).toContain(`The file ${address}/decoder.onnx is`);
    expect(readdirSync(home)).toEqual([sam.id]);
    // A file from disk takes the place of a download that was kept.
    await run(['add', sam.id, `${address}/encoder.onnx`, `${address}/encoder.onnx`, ...to]);
    expect(existsSync(join(partial, 'encoder.onnx.download.json'))).toBe(true);
    await run(['add', sam.id, files.encoder, `${address}/encoder.onnx`, ...to]);
    expect(readdirSync(home)).toEqual([sam.id]);
  });
});
