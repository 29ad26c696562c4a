import { deflateRawSync } from 'node:zlib';
import { IReply } from '../../../kernel-bridge';
import { BridgeError, LABEL_TILE, Params } from '../../../shared';
import { FakeLink } from '../../base/__tests__/fake-link';
import { UncertaintyOverlay } from '../uncertainty';
import { makeUncertaintyPalette, uncertaintyColor, uncertaintyLightness } from '../../tiles/uncertainty-colors';

const A = { row: 0, column: 0 };
const B = { row: 0, column: 1 };
const tick = () => new Promise(resolve => setTimeout(resolve, 0));

function make() {
  const asked: {
    wanted: Params<'uncertainty.tiles'>;
    resolve(r: IReply<'uncertainty.tiles'>): void;
    reject(e: Error): void;
  }[] = [];
  const overlay = new UncertaintyOverlay({
    image: { rows: 512, columns: 512 },
    link: new FakeLink((_, wanted) => new Promise((resolve, reject) => asked.push({ wanted, resolve, reject })))
  });
  const answer = async (level: number, version: number) => {
    const { wanted, resolve } = asked.at(-1)!;
    const buffer = new Uint8Array(deflateRawSync(new Uint8Array(LABEL_TILE ** 2).fill(level)));
    resolve({ result: { version, low: 0, high: 1 }, buffers: wanted.tiles.map(() => buffer) });
    await tick();
  };
  return { overlay, asked, answer };
}

describe('UncertaintyOverlay', () => {
  it('waits for a classifier, then shows its uncertainty', async () => {
    const { overlay, asked, answer } = make();
    overlay.show(true);
    overlay.want(0, [A]);
    expect([asked.length, overlay.state.state, overlay.drawn]).toEqual([0, 'gone', false]);
    overlay.follow(3);
    overlay.want(0, [A, B]);
    expect(asked[0]!.wanted).toMatchObject({ slice: 0, measure: 'margin', tiles: [A, B] });
    await answer(200, 3);
    expect(overlay.state).toEqual({ state: 'ready', low: 0, high: 1 });
    expect(overlay.at(0, 5, 300)).toBe(200);
  });

  it('shows old tiles until those of a new segmentation arrive, and emits their keys', async () => {
    const { overlay, asked, answer } = make();
    const came: string[] = [];
    overlay.arrived.connect((_, keys) => came.push(...keys));
    overlay.follow(3);
    overlay.show(true);
    overlay.want(0, [A]);
    await answer(200, 3);
    overlay.follow(4);
    expect([overlay.drawn, overlay.at(0, 0, 0)]).toEqual([true, 200]);
    overlay.want(0, [A]);
    overlay.want(0, [A]);
    expect([asked.length, overlay.at(0, 0, 0)]).toEqual([2, 200]);
    await answer(50, 4);
    expect([overlay.at(0, 0, 0), overlay.state.state]).toEqual([50, 'ready']);
    expect(came).toEqual([overlay.key(0, A), overlay.key(0, A)]);
    overlay.want(0, [A]);
    expect(asked).toHaveLength(2);
  });

  it('fetches tiles again once that were requested before a new segmentation', async () => {
    const { overlay, asked, answer } = make();
    overlay.follow(3);
    overlay.show(true);
    overlay.want(0, [A]);
    overlay.follow(4);
    await answer(10, 3);
    overlay.want(0, [A]);
    expect(asked).toHaveLength(2);
    await answer(20, 3);
    overlay.want(0, [A]);
    expect([asked.length, overlay.at(0, 0, 0)]).toEqual([2, 20]);
  });

  it('drops the tiles of a classifier that is gone, and has others for another measure', async () => {
    const { overlay, asked, answer } = make();
    overlay.follow(3);
    overlay.show(true);
    overlay.want(0, [A]);
    await answer(10, 3);
    overlay.measure = 'maximum';
    expect(overlay.at(0, 0, 0)).toBe(-1);
    overlay.want(0, [A]);
    expect(asked.at(-1)!.wanted.measure).toBe('maximum');
    await answer(30, 3);
    overlay.measure = 'margin';
    expect(overlay.at(0, 0, 0)).toBe(10);
    overlay.follow(0);
    expect([overlay.state.state, overlay.drawn]).toEqual(['gone', false]);
    overlay.follow(1);
    expect(overlay.at(0, 0, 0)).toBe(-1);
  });

  it('fetches again with the next segmentation after an error', async () => {
    const { overlay, asked, answer } = make();
    overlay.follow(3);
    overlay.show(true);
    overlay.want(0, [A]);
    asked[0]!.reject(new BridgeError('internal', 'No room.'));
    await tick();
    expect(overlay.state).toEqual({ state: 'failed', message: 'No room.' });
    overlay.follow(4);
    overlay.want(0, [A]);
    await answer(7, 4);
    expect(overlay.at(0, 0, 0)).toBe(7);
  });

  it('shows at any zoom: it asks for reduced tiles one by one, and stops when the level changes', async () => {
    const { overlay, asked, answer } = make();
    overlay.follow(3);
    overlay.show(true);
    overlay.want(0, [A, B], 4);
    expect(asked.map(({ wanted }) => [wanted.level, wanted.tiles])).toEqual([[4, [A]]]);
    await answer(9, 3);
    expect(asked[1]!.wanted.tiles).toEqual([B]);
    expect([overlay.at(0, 17, 33), overlay.levels(0, A), overlay.levels(0, A, 4)![0]]).toEqual([9, undefined, 9]);
    overlay.want(0, [A], 3);
    asked[1]!.reject(new BridgeError('cancelled', 'cancelled'));
    await tick();
    expect(asked[2]!.wanted).toMatchObject({ level: 3, tiles: [A] });
    expect(overlay.state.state).toBe('loading');
  });
});

describe('the colours of uncertainty', () => {
  it('have the intended lightness to a byte, in even steps', () => {
    // From sRGB back to the lightness of OKLab.
    const lightness = (rgb: number[]) => {
      const [r, g, b] = rgb.map(byte => {
        const c = byte / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      }) as [number, number, number];
      const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
      const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
      const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
      return 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s;
    };
    for (let i = 0; i <= 64; i++) {
      const color = uncertaintyColor(i / 64);
      color.forEach(byte => expect(Number.isInteger(byte) && byte >= 0 && byte <= 255).toBe(true));
      expect(Math.abs(lightness(color) - uncertaintyLightness(i / 64))).toBeLessThan(0.01);
    }
  });

  it('are in the palette in memory order', () => {
    const palette = makeUncertaintyPalette();
    expect(palette).toHaveLength(256);
    const [red, green, blue] = uncertaintyColor(128 / 255);
    expect([...new Uint8Array(palette.buffer, 128 * 4, 4)]).toEqual([red, green, blue, 255]);
  });
});
