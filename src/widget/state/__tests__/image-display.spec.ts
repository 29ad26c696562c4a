/** @jest-environment jsdom */
import '../../__tests__/page';
import { FakeLink } from '../../base/__tests__/fake-link';
import { BridgeError, Contrast, ImageInfo } from '../../../shared';
import { ImageDisplay } from '../image-display';

const IMAGE: ImageInfo = {
  shape: [1, 100, 100, 3],
  dtype: 'uint16',
  digest: 'd'.repeat(64),
  display: { low: 100, high: 1100 }
};
const shown: ImageDisplay[] = [];
const make = (
  image: Partial<ImageInfo> = {},
  { link = new FakeLink(), contrast = null }: Partial<ImageDisplay.IOptions> = {}
) => {
  const display = new ImageDisplay({ image: { ...IMAGE, ...image }, link, contrast });
  shown.push(display);
  return display;
};

beforeEach(() => localStorage.clear());
afterEach(() => shown.splice(0).forEach(display => display.dispose()));

describe('ImageDisplay', () => {
  it('keeps the contrast of an image for the next page, and none that is as by default', () => {
    make().set({ low: 200, high: 300, gamma: 0.5, inverse: true, channels: [true, false, true] });
    expect(make().values).toEqual({ low: 200, high: 300, gamma: 0.5, inverse: true, channels: [true, false, true] });
    expect(make({ digest: 'e'.repeat(64) }).plain).toBe(true);
    make().reset();
    expect([make().plain, localStorage.getItem('sambalab:remembered')]).toEqual([true, '[]']);
  });

  it('ignores what makes no picture: an empty range, a gamma of 0, no channel', () => {
    const display = make();
    display.set({ low: 500, high: 500, gamma: 0, channels: [false, false, false] });
    display.set({ low: NaN });
    display.set({ low: -1e308, high: 1e308 }); // their difference is infinite
    expect(display.plain).toBe(true);
  });

  it('ignores what another version may have stored', () => {
    localStorage.setItem(
      'sambalab:remembered',
      JSON.stringify([[`display ${IMAGE.digest}`, { low: '200', channels: [true], gamma: 2 }]])
    );
    expect(make().values).toEqual({ low: 100, high: 1100, gamma: 2, inverse: false, channels: [true, true, true] });
    localStorage.setItem('sambalab:remembered', '{');
    expect(make().plain).toBe(true);
  });

  it('asks for tiles of another range once the user rests, if the usual ones do not have the values or the steps', () => {
    jest.useFakeTimers();
    const display = make();
    const ranges: object[] = [];
    display.changed.connect(() => ranges.push(display.look.range));
    display.set({ low: 600, high: 700 });
    jest.advanceTimersByTime(1000);
    expect(ranges).toEqual([IMAGE.display]);
    display.set({ low: 0 });
    display.set({ low: 10 });
    expect(display.look.range).toEqual(IMAGE.display);
    jest.advanceTimersByTime(1000);
    expect(display.look.range).toEqual({ low: 10, high: 1100 });
    display.set({ low: 600, high: 601 });
    jest.advanceTimersByTime(1000);
    expect(display.look.range).toEqual({ low: 600, high: 601 });
    jest.useRealTimers();
  });

  it('never asks for other tiles of bytes, which have the values themselves', () => {
    jest.useFakeTimers();
    const display = make({ dtype: 'uint8', display: { low: 0, high: 255 } });
    display.set({ low: 7, high: 8 });
    jest.advanceTimersByTime(1000);
    expect(display.look.range).toEqual({ low: 0, high: 255 });
    jest.useRealTimers();
  });

  describe('of a session', () => {
    const bright: Contrast = { low: 100, high: 500, gamma: 1, inverse: false, channels: [true, true, true] };
    let told: (Contrast | null)[];
    let answer: () => Promise<unknown>;
    const link = new FakeLink((method, { contrast }: { contrast: Contrast | null }) => {
      expect(method).toBe('sam.contrast');
      told.push(contrast);
      return answer();
    });
    beforeEach(() => {
      jest.useFakeTimers();
      told = [];
      answer = async () => ({ result: {}, buffers: [] });
    });
    afterEach(() => jest.useRealTimers());

    it('tells the sidecar what is shown once the user rests, so that SAM sees it, and not again', async () => {
      const display = make({}, { link });
      await jest.advanceTimersByTimeAsync(10_000);
      expect(told).toEqual([]);
      for (const high of [900, 700, 500]) {
        display.set({ high });
        await jest.advanceTimersByTimeAsync(200);
      }
      await jest.advanceTimersByTimeAsync(10_000);
      expect(told).toEqual([bright]);
      display.take(bright);
      display.reset();
      await jest.advanceTimersByTimeAsync(10_000);
      expect(told).toEqual([bright, null]);
    });

    it('shows what the session has, and what another labeller chose, without telling it back', async () => {
      const display = make({}, { link, contrast: bright });
      expect(display.values).toEqual(bright);
      const inverse = { ...bright, inverse: true };
      display.take(inverse);
      expect(display.values).toEqual(inverse);
      display.take(null);
      expect(display.plain).toBe(true);
      await jest.advanceTimersByTimeAsync(10_000);
      expect(told).toEqual([]);
    });

    it('shows what this browser remembers, and tells the session', async () => {
      make().set({ high: 500 });
      const display = make({}, { link, contrast: { ...bright, gamma: 3 } });
      await jest.advanceTimersByTimeAsync(10_000);
      expect([display.values, told]).toEqual([bright, [bright]]);
    });

    it('keeps what the user chose meanwhile, and tells it last', async () => {
      const display = make({}, { link });
      display.set({ high: 500 });
      let reply: () => void = () => undefined;
      answer = () => new Promise(resolve => (reply = () => resolve({ result: {}, buffers: [] })));
      await jest.advanceTimersByTimeAsync(1000);
      display.set({ gamma: 2 });
      display.take(bright);
      display.take({ ...bright, inverse: true });
      reply();
      await jest.advanceTimersByTimeAsync(10_000);
      expect(display.values).toEqual({ ...bright, gamma: 2 });
      expect(told).toEqual([bright, { ...bright, gamma: 2 }]);
    });

    it('tries again without a connection, and says why SAM sees something else', async () => {
      const display = make({}, { link });
      answer = () => Promise.reject(new BridgeError('disconnected', 'no connection'));
      display.set({ high: 500 });
      await jest.advanceTimersByTimeAsync(1000);
      expect([told.length, display.problem]).toEqual([1, null]);
      answer = () => Promise.reject(new BridgeError('storage', 'The disk is full.'));
      await jest.advanceTimersByTimeAsync(20_000);
      expect([told.length, display.problem]).toEqual([2, 'The disk is full.']);
    });
  });
});
