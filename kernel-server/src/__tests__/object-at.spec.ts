/** The object at a pixel of the segmentation or of the labels, through the sidecar. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sidecar } from '../sidecar';
import { TestClient } from './support/client';
import { openSession, rectangle } from './support/images';
import { EngineService } from './support/small-engine';
import { SmallSam } from './support/small-sam';

let base: string;
let sidecar: Sidecar;
let client: TestClient;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  base = mkdtempSync(join(tmpdir(), 'sl-'));
  const folders = { runtimeDir: join(base, 'run'), dataDir: join(base, 'data'), arraysDir: join(base, 'arrays') };
  sidecar = await Sidecar.start(
    { ...folders, idleTimeout: 600, transport: 'ipc' },
    { engine: new EngineService(), sam: new SmallSam({ path: '', digest: '0'.repeat(64), bytes: 1 }) }
  );
  client = await TestClient.connect(join(base, 'run'), 'python');
});

afterEach(async () => {
  client.close();
  await sidecar.stop('the test is over');
  rmSync(base, { recursive: true, force: true });
  jest.restoreAllMocks();
});

const draw = async (
  session: string,
  id: number,
  tile: [number, number],
  rows: [number, number],
  columns: [number, number]
) => {
  const { patch, buffers } = rectangle(session, id, { tile, rows, columns });
  await client.request('labels.patch', patch, { buffers });
};

describe('the object at a pixel', () => {
  it('is the connected part of the labels, across tiles, and then of the segmentation', async () => {
    const { session } = await openSession(client, { rows: 300, columns: 400 });
    // An L across two tiles, and a square that touches its corner.
    await draw(session, 2, [0, 0], [100, 110], [200, 256]);
    await draw(session, 2, [0, 1], [100, 140], [0, 20]);
    await draw(session, 2, [0, 1], [140, 150], [20, 30]);
    await draw(session, 1, [0, 0], [0, 10], [0, 10]);
    const at = (row: number, column: number, slice = 0) => client.request('object.at', { session, slice, row, column });
    const shape = { class: 2, box: { row0: 100, row1: 140, column0: 200, column1: 276 }, pixels: 10 * 56 + 40 * 20 };
    const found = await at(105, 201);
    expect(found).toMatchObject({ ...shape, of: 'labels' });
    // Ten pixels from the left and the right of the upright part, and at least as far from its ends.
    expect(found.point.row).toBeGreaterThanOrEqual(109);
    expect(found.point.row).toBeLessThan(131);
    expect([265, 266]).toContain(found.point.column);
    expect(await at(139, 275)).toEqual(found);
    expect(await at(145, 280)).toMatchObject({
      box: { row0: 140, row1: 150, column0: 276, column1: 286 },
      pixels: 100
    });

    const invalid = (message: RegExp) => ({ code: 'invalid', message: expect.stringMatching(message) });
    await expect(at(200, 20)).rejects.toMatchObject(invalid(/no label at the pixel \(200, 20\)/));
    await expect(at(300, 20)).rejects.toMatchObject(invalid(/\(300, 20\) is outside the image of 300 × 400/));
    await expect(at(1, 1, 1)).rejects.toMatchObject({ code: 'invalid' });

    // The small engine takes dark for class 1, bright for class 2; the label of class 2 in the dark half joins the bright one.
    await client.request('train', { session });
    expect(await at(250, 390)).toMatchObject({
      class: 2,
      of: 'segmentation',
      box: { row0: 0, row1: 300, column0: 200, column1: 400 }
    });
    expect(await at(250, 3)).toMatchObject({
      class: 1,
      of: 'segmentation',
      box: { column0: 0, column1: 200 },
      pixels: 200 * 300
    });
  });

  it('is refused if it is too large', async () => {
    const { session } = await openSession(client, { rows: 2060, columns: 40 });
    const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: [1, 2060, 40] });
    writeFileSync(array.path, new Uint8Array(2060 * 40).fill(1), { flag: 'r+' });
    await client.request('labels.set', { session, staged });
    await expect(client.request('object.at', { session, slice: 0, row: 9, column: 9 })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/more than 2048 rows or columns/)
    });
  });
});
