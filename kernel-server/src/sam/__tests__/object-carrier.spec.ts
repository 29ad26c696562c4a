/** Objects carried through a stack into labels, with the real model: which slices, which labels stay, one step. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { LABEL_TILE } from '../../../../src/shared/limits';
import { BridgeError } from '../../../../src/shared/errors';
import { MOBILE_SAM } from '../../../../src/shared/models/mobile-sam';
import { Params } from '../../../../src/shared/protocol';
import { Rect } from '../../../../src/shared/rect';
import { TestClient } from '../../__tests__/support/client';
import { Home } from '../../__tests__/support/home';
import { bytesOf, CLASSES, rectangle } from '../../__tests__/support/images';
import { buildDecoder, bundleSamProcess, makeFolder } from '../../__tests__/support/sam-fixture';
import { EngineService } from '../../__tests__/support/small-engine';
import { SamService } from '../service';

const SLICES = 4;
const SIZE = { rows: 128, columns: 160 };
const AREA = SIZE.rows * SIZE.columns;
/** The middle of a disc of radius 20 that drifts; it is on slices 1 and 2. */
const middle = (slice: number) => ({ row: 50 + slice, column: 60 + 2 * slice });
const isInside = (slice: number, row: number, column: number) =>
  (slice === 1 || slice === 2) && Math.hypot(row - middle(slice).row, column - middle(slice).column) <= 20;

describe('ObjectCarrier', () => {
  const folder = makeFolder();
  let sam: SamService;
  let home: Home<EngineService>;
  let client: TestClient;
  let session: string;
  let labels: () => Uint8Array;
  let ask: (more?: Partial<Params<'labels.carry'>>) => Promise<Record<string, unknown>>;

  /** Logits of the disc on slice 1, as SAM's decoder gives them. */
  const logits = (() => {
    const side = MOBILE_SAM.decoder.maskSize;
    const scale = SIZE.columns / side;
    return Float32Array.from({ length: side * side }, (_, i) => {
      const [row, column] = [(Math.floor(i / side) + 0.5) * scale - 0.5, ((i % side) + 0.5) * scale - 0.5];
      return 20 - Math.hypot(row - middle(1).row, column - middle(1).column);
    });
  })();
  const bytes = (values: Float32Array) => new Uint8Array(values.slice().buffer);

  beforeAll(async () => {
    const env = { ...process.env, SAMBALAB_PROVIDER: 'cpu' };
    sam = new SamService({
      processPath: bundleSamProcess(folder.path),
      decoderPath: buildDecoder(folder.path),
      env
    });
    home = await new Home(new EngineService(), sam).start();
    client = await home.connect();
    let state = 5;
    const pixels = Uint8Array.from({ length: SLICES * AREA }, (_, i) => {
      state = (state * 48271) % 2147483647;
      const [slice, at] = [Math.floor(i / AREA), i % AREA];
      const inside = isInside(slice, Math.floor(at / SIZE.columns), at % SIZE.columns);
      return (inside ? 150 : 60) + (state % 40);
    });
    const opened = await client.request('session.open', {
      key: 'carried',
      title: 'carried',
      image: {
        shape: [SLICES, SIZE.rows, SIZE.columns, 1],
        dtype: 'uint8',
        digest: createHash('sha256').update(pixels).digest('hex'),
        display: { low: 0, high: 255 }
      },
      classes: CLASSES,
      keepClasses: false,
      fresh: false
    });
    writeFileSync(opened.arrays['image']!.path, pixels, { flag: 'r+' });
    const ready = await client.request('image.ready', { session: opened.session });
    ({ session } = ready);
    labels = () => bytesOf(ready.arrays['labels']!);
    const within = { row0: 0, row1: SIZE.rows, column0: 0, column1: SIZE.columns };
    ask = more =>
      client.request(
        'labels.carry',
        { session, slice: 1, within, class: 1, replaces: [0], itself: false, ...more },
        { buffers: [bytes(logits)] }
      );
  });
  afterAll(async () => {
    await home.dispose();
    await sam.dispose();
    folder.remove();
  });

  /** How much of the disc has a label on each slice, and how much has one outside. */
  const drawn = (id: number) =>
    Array.from({ length: SLICES }, (_, slice) => {
      let [inside, labelled, outside] = [0, 0, 0];
      labels()
        .subarray(slice * AREA, (slice + 1) * AREA)
        .forEach((label, i) => {
          const isIn = isInside(slice, Math.floor(i / SIZE.columns), i % SIZE.columns);
          inside += isIn ? 1 : 0;
          labelled += isIn && label === id ? 1 : 0;
          outside += !isIn && label === id ? 1 : 0;
        });
      return { part: inside ? labelled / inside : 0, outside };
    });

  it('labels the object where it is, says why it ends, and keeps older labels, in one step', async () => {
    const { row, column } = middle(2);
    const old = rectangle(session, 2, { slice: 2, rows: [row - 5, row], columns: [column, column + 5] });
    await client.request('labels.patch', old.patch, { buffers: old.buffers });
    const before = labels();
    const jobs = client.heard.filter(({ event }) => event === 'job').length;
    const { first, last, changed, ends } = await ask();
    expect([first, last]).toEqual([1, 2]);
    expect(Object.keys(ends as object)).toEqual(['before', 'after']);
    for (const end of Object.values(ends as object)) {
      expect(['changed', 'unsure', 'unseen']).toContain(end);
    }
    const parts = drawn(1);
    expect(parts.map(({ part }) => part > 0.85)).toEqual([false, false, true, false]);
    expect(Math.max(...parts.map(({ outside }) => outside))).toBeLessThan(200);
    expect(parts[1]!.part).toBe(0); // it is labelled there already
    expect(labels()[2 * AREA + (row - 1) * SIZE.columns + column + 1]).toBe(2);
    const { steps } = await client.request('history.list', { session });
    expect(steps.at(-1)).toMatchObject({ provenance: 'sam', tool: 'carry', pixels: changed });
    const told = client.heard.filter(({ event }) => event === 'job').slice(jobs);
    expect(told.some(({ params }) => (params as { kind: string }).kind === 'carry')).toBe(true);
    await client.request('history.undo', { session });
    expect(labels()).toEqual(before);
    await client.request('history.undo', { session });
  });

  it('paints over the one label below it, stays in the region, changes the shape, and labels its own slice if asked', async () => {
    const region = { slice0: 1, slice1: 3, row0: 0, row1: SIZE.rows, column0: 0, column1: SIZE.columns };
    await client.request('session.region', { session, region });
    const { row, column } = middle(2);
    // Class 2 below most of it.
    const old = rectangle(session, 2, { slice: 2, rows: [row - 30, row + 8], columns: [column - 30, column + 30] });
    await client.request('labels.patch', old.patch, { buffers: old.buffers });
    const shape = { connected: true, filled: true, smooth: false, grow: 3, edges: false };
    const { first, last, ends } = await ask({ replaces: [0, 1, 2], one: true, itself: true, shape });
    expect([first, last, ends]).toEqual([1, 2, { before: 'stack', after: 'stack' }]);
    const at = (slice: number, down: number) =>
      labels()[slice * AREA + (middle(slice).row + down) * SIZE.columns + middle(slice).column];
    expect([at(1, 0), at(1, 21), at(2, 0), at(2, -21), at(2, 12)]).toEqual([1, 1, 1, 1, 0]);
    await client.request('history.undo', { session });
    expect(drawn(1).every(({ part }) => part === 0)).toBe(true);
    await client.request('session.region', { session, region: null });
  });

  it('labels its own slice with the pixels that are shown, and moves the borders on the others to the edges', async () => {
    const rect = { row0: 30, row1: 32, column0: 40, column1: 43 };
    const mask = Uint8Array.of(1, 0, 1, 0, 1, 1);
    const asked = (edges: boolean, shown: { rect: Rect; mask: Uint8Array } = { rect, mask }) =>
      client.request(
        'labels.carry',
        {
          session,
          slice: 1,
          within: { row0: 0, row1: SIZE.rows, column0: 0, column1: SIZE.columns },
          class: 1,
          replaces: 'all',
          itself: true,
          shape: { connected: true, filled: true, smooth: false, grow: 3, edges },
          shown: shown.rect
        },
        { buffers: [bytes(logits), deflateRawSync(shown.mask)] }
      );
    const drawnThen = async (edges: boolean) => {
      await asked(edges);
      const own = labels().subarray(AREA, 2 * AREA);
      expect(own.reduce((sum, label) => sum + label, 0)).toBe(4);
      mask.forEach((bit, i) => expect(own[(30 + Math.floor(i / 3)) * SIZE.columns + 40 + (i % 3)]).toBe(bit));
      const other = labels().slice(2 * AREA, 3 * AREA);
      await client.request('history.undo', { session });
      return other;
    };
    const [plain, refined] = [await drawnThen(false), await drawnThen(true)];
    // Grown by three pixels both times: how far off the border of a disc of 23 pixels' radius is.
    const off = (found: Uint8Array) =>
      found.reduce((sum, label, i) => {
        const { row, column } = middle(2);
        const distance = Math.hypot(Math.floor(i / SIZE.columns) - row, (i % SIZE.columns) - column);
        return sum + Number((label === 1) !== distance <= 23);
      }, 0);
    expect(off(refined)).toBeLessThan(off(plain));
    expect(off(refined)).toBeLessThan(30);
    const beyond = { ...rect, row1: SIZE.rows + 1 };
    await expect(asked(true, { rect: beyond, mask })).rejects.toThrow('inside of 128 × 160');
    await expect(asked(true, { rect, mask: mask.subarray(1) })).rejects.toThrow(
      'must be 6 pixels, deflated; it is 5 pixels'
    );
  });

  it('labels nothing when it is cancelled, and refuses what cannot be carried', async () => {
    const before = labels();
    const cancelled = client
      .request(
        'labels.carry',
        {
          session,
          slice: 1,
          within: { row0: 0, row1: SIZE.rows, column0: 0, column1: SIZE.columns },
          class: 1,
          replaces: 'all',
          itself: true
        },
        { buffers: [bytes(logits)], id: 'carries' }
      )
      .catch((error: BridgeError) => error.code);
    await new Promise(resolve => setTimeout(resolve, 20));
    await client.request('cancel', { id: 'carries' });
    expect(await cancelled).toBe('cancelled');
    expect(labels()).toEqual(before);
    await expect(ask({ slice: SLICES })).rejects.toThrow(`Slice ${SLICES} does not exist`);
    await expect(ask({ class: 9 })).rejects.toThrow('There is no class 9');
    const beyond = { row0: 0, row1: LABEL_TILE, column0: 0, column1: SIZE.columns };
    await expect(ask({ within: beyond })).rejects.toThrow('rows 0 to 256');
    expect(labels()).toEqual(before);
  });
});
