import { IReply } from '../../../kernel-bridge';
import { FakeLink } from '../../base/__tests__/fake-link';
import { PixelValues } from '../pixel-values';

type Found = ReturnType<PixelValues.IOptions['tiles']['at']>;
const tick = () => new Promise(resolve => setTimeout(resolve));

function make(dtype: PixelValues.IOptions['dtype'], found: Found) {
  const asked: { params: object; resolve(reply: IReply<'image.pixel'>): void }[] = [];
  const link = new FakeLink((_, params) => new Promise(resolve => asked.push({ params, resolve })));
  const pixels = new PixelValues({ dtype, tiles: { at: () => found }, link });
  return { pixels, asked };
}
const stored = (value: number): Found => ({ stored: [value], dtype: 'uint16', range: { low: 100, high: 1100 } });
const AT = { slice: 0, row: 1, column: 2 };

describe('PixelValues', () => {
  it('reads bytes and whole numbers from the tiles, exactly', () => {
    const bytes: Found = { stored: [7, 8, 9], dtype: 'uint8', range: { low: 0, high: 255 } };
    expect(make('uint8', bytes).pixels.of(AT)).toEqual([7, 8, 9]);
    for (let value = 101; value < 1100; value++) {
      const sent = Math.floor(((value - 100) * 65535) / 1000 + 0.5);
      expect(make('uint16', stored(sent)).pixels.of(AT)).toEqual([value]);
    }
  });

  it('asks for values that the tiles do not have exactly: fractions, those at the ends, and those of reduced tiles', () => {
    for (const [dtype, found] of [
      ['float32', stored(500)],
      ['uint16', stored(65535)],
      ['uint16', null]
    ] as const) {
      const { pixels, asked } = make(dtype, found);
      expect([pixels.of(AT), asked.length]).toEqual([null, 1]);
    }
  });

  it('asks for one pixel at a time, and then for the one under the pointer', async () => {
    const { pixels, asked } = make('float32', null);
    let arrived = 0;
    pixels.arrived.connect(() => arrived++);
    pixels.of(AT);
    pixels.of({ ...AT, column: 3 });
    pixels.of({ ...AT, column: 4 });
    expect(asked).toHaveLength(1);
    asked[0]!.resolve({ result: { values: [1] }, buffers: [] });
    await tick();
    expect([asked.length, arrived]).toEqual([2, 0]);
    asked[1]!.resolve({ result: { values: [0.25] }, buffers: [] });
    await tick();
    expect([arrived, pixels.of({ ...AT, column: 4 })]).toEqual([1, [0.25]]);
    expect(asked[1]!.params).toMatchObject({ slice: 0, row: 1, column: 4 });
  });
});
