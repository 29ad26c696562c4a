/** Results of the encoder on disk: found again, checked, and limited in size. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toFloat16 } from '../../../../src/sam/float16';
import { EncoderResults } from '../encoder-results';

describe('EncoderResults', () => {
  let directory: string;
  let results: EncoderResults;
  const paths = () => readdirSync(directory).map(name => join(directory, name));
  const values = async (key: string) => (await results.read(key))?.arrays.map(array => [...array]);

  beforeEach(() => {
    jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    directory = mkdtempSync(join(tmpdir(), 'results-'));
    results = new EncoderResults({ directory: directory });
  });
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
    jest.restoreAllMocks();
  });

  it('are found again by another sidecar, exact or rounded to half precision', async () => {
    const arrays = [Float32Array.of(1 / 3, -2), new Float32Array(0), Float32Array.of(7)];
    await results.write('exact', { arrays, about: { device: 'cpu' } });
    await results.write('half', { arrays: [toFloat16(arrays[0]!)], about: null });
    results = new EncoderResults({ directory });
    expect(await results.read('exact')).toEqual({ arrays, about: { device: 'cpu' } });
    const [first] = (await values('half'))!;
    expect(first![0]).toBeCloseTo(1 / 3, 3);
    expect(first![0]).not.toBe(arrays[0]![0]);
    expect(first![1]).toBe(-2);
    expect(await results.read('other')).toBeUndefined();
  });

  it.each([
    ['is cut', (bytes: Buffer) => bytes.subarray(0, bytes.length - 1)],
    ['is longer', (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(1)])],
    ['has another bit', (bytes: Buffer) => (bytes.writeUInt8(bytes.at(-2)! ^ 1, bytes.length - 2), bytes)],
    ['has another head', (bytes: Buffer) => Buffer.concat([Buffer.from('{}'), bytes])],
    ['is empty', () => Buffer.alloc(0)]
  ])('are made again if their file %s', async (_, damage) => {
    await results.write('key', { arrays: [Float32Array.of(1, 2, 3)], about: null });
    const [path] = paths();
    writeFileSync(path!, damage(readFileSync(path!)));
    expect(await results.read('key')).toBeUndefined();
    expect(paths()).toEqual([]);
    await results.write('key', { arrays: [Float32Array.of(4)], about: null });
    expect(await values('key')).toEqual([[4]]);
  });

  it('are not taken for those of another key', async () => {
    await results.write('key', { arrays: [Float32Array.of(1)], about: null });
    const [path] = paths();
    const bytes = readFileSync(path!);
    await results.write('else', { arrays: [Float32Array.of(2)], about: null });
    writeFileSync(
      paths().find(each => each !== path)!,
      bytes
    );
    expect(await values('else')).toBeUndefined();
    expect(await values('key')).toEqual([[1]]);
  });

  it('stay within their limit: those that were used least recently go', async () => {
    results = new EncoderResults({ directory, bytesMax: 3 * 4400 });
    const write = (key: string) => results.write(key, { arrays: [new Float32Array(1000)], about: null });
    for (const [age, key] of ['c', 'b', 'a'].entries()) {
      await write(key);
      for (const path of paths()) {
        if (readFileSync(path).includes(`"key":"${key}"`)) {
          utimesSync(path, 1000 + age, 1000 + age);
        }
      }
    }
    expect(await values('c')).toBeDefined(); // the oldest one, used again
    await new Promise(resolve => setTimeout(resolve, 20)); // its time is set in the background
    await write('d');
    const there = await Promise.all(['a', 'b', 'c', 'd'].map(async key => (await results.read(key)) !== undefined));
    expect(there).toEqual([true, false, true, true]);
  });

  it('are not kept with a limit of 0, and a wrong limit is named', async () => {
    results = new EncoderResults({ directory, bytesMax: EncoderResults.bytesOf('0') });
    await results.write('key', { arrays: [Float32Array.of(1)], about: null });
    expect(paths()).toEqual([]);
    expect(EncoderResults.bytesOf(undefined)).toBeUndefined();
    expect(() => EncoderResults.bytesOf('4 GB')).toThrow('SAMBALAB_EMBEDDINGS_BYTES is 4 GB');
  });
});
