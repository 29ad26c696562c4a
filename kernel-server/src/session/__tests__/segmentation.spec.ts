/** The segmentation that follows prediction and labels, in files of a temporary folder. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { ArrayDescriptor } from '../../../../src/shared/protocol';
import { ArrayStore } from '../../arrays/array-store';
import { TileFile } from '../../arrays/tile-file';
import { JournalledLabels } from '../journalled-labels';
import { MASK_BYTES } from '../../../../src/shared/limits';
import { Segmentation } from '../segmentation';
import { SessionArrays } from '../session-arrays';

const SHAPE = [1, 300, 400];
let folder: string;
let labels: JournalledLabels;
let arrays: SessionArrays;
let segmentation: Segmentation;

const bytesOf = (array: ArrayDescriptor) => new Uint8Array(readFileSync(array.path));

/** A prediction of one class everywhere becomes the session's. */
async function predict(id: number): Promise<void> {
  const prediction = await arrays.allocate('prediction', 'uint8', SHAPE);
  const file = new TileFile(prediction, 'r+');
  file.writeBytes(0, new Uint8Array(300 * 400).fill(id));
  file.close();
  await segmentation.take({ prediction }, true);
  await segmentation.renew(await segmentation.array(SHAPE), labels.array, undefined);
}

/** Draw class 3 over rows 10 and 11 of tile (0, 0). */
function draw(id: string) {
  const mask = new Uint8Array(MASK_BYTES).fill(255, 32 * 10, 32 * 12);
  const patch = { slice: 0, class: 3, replaces: 'all' as const, tiles: [{ row: 0, column: 0 }] };
  return labels.patch(id, patch, [deflateRawSync(mask)]);
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sl-'));
  const store = new ArrayStore([{ directory: folder, memory: false }]);
  arrays = new SessionArrays({ folder: 'session', store, listed: {} });
  labels = await JournalledLabels.open(
    join(folder, 'labels.journal'),
    await arrays.allocate('labels', 'uint8', SHAPE),
    { blank: true }
  );
  segmentation = new Segmentation(arrays);
  labels.onPaint = change => segmentation.follow(change);
});

afterEach(async () => {
  await labels.close();
  segmentation.close();
  rmSync(folder, { recursive: true });
});

describe('A segmentation', () => {
  it('has the labels on top of the prediction, and the pixels of each class', async () => {
    await draw('before');
    await predict(1);
    expect(segmentation.counts).toEqual({ 1: 120000 - 512, 3: 512 });
    await predict(2);
    expect(segmentation.counts).toEqual({ 2: 120000 - 512, 3: 512 });
    const pixels = bytesOf(arrays.get('segmentation')!);
    expect([pixels[9 * 400], pixels[10 * 400 + 255], pixels[10 * 400 + 256]]).toEqual([2, 3, 2]);
  });

  it('reads each array once to follow a patch; it does not read the labels back', async () => {
    await predict(1);
    const { version } = arrays.get('segmentation')!;
    const read = jest.spyOn(TileFile.prototype, 'read');
    let paths: string[];
    try {
      await draw('later');
      paths = read.mock.contexts.map(file => (file as TileFile).array.path);
    } finally {
      read.mockRestore();
    }
    expect(paths.sort()).toEqual(
      [labels.array, arrays.get('prediction')!, arrays.get('segmentation')!].map(({ path }) => path).sort()
    );
    expect(segmentation.counts).toEqual({ 1: 120000 - 512, 3: 512 });
    expect(bytesOf(arrays.get('segmentation')!)[10 * 400]).toBe(3);
    expect(arrays.get('segmentation')!.version).toBe(version + 1);
  });

  it('ignores labels while there is no prediction', async () => {
    await draw('first');
    await segmentation.recombine(labels.array);
    expect(segmentation.counts).toBeUndefined();
    expect(arrays.get('segmentation')).toBeUndefined();
  });
});
