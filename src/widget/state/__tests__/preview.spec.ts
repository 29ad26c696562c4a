import { deflateRawSync } from 'node:zlib';
import { IReply } from '../../../kernel-bridge';
import { BridgeError, featureSpec, LABEL_TILE, Params } from '../../../shared';
import { ITileRef } from '../../base/geometry';
import { reduceLevels } from '../../tiles/overlay-pictures';
import { FakeLink } from '../../base/__tests__/fake-link';
import { FeaturePreview } from '../preview';
import { TILES_IN_VIEW_MAX } from '../../tiles/byte-tiles';

const A = { row: 0, column: 0 };
const B = { row: 0, column: 1 };
const FAR = { row: 5, column: 5 };
const tick = () => new Promise(resolve => setTimeout(resolve, 0));

function make() {
  const asked: {
    wanted: Params<'feature.tiles'>;
    aborted: boolean;
    resolve(r: IReply<'feature.tiles'>): void;
    reject(e: Error): void;
  }[] = [];
  const preview = new FeaturePreview({
    image: { rows: 2000, columns: 300 },
    channels: 1,
    link: new FakeLink(
      (_, wanted, options) =>
        new Promise((resolve, reject) => {
          const one = { wanted, aborted: false, resolve, reject };
          asked.push(one);
          options!.signal!.addEventListener('abort', () => {
            one.aborted = true;
            reject(new BridgeError('cancelled', 'cancelled'));
          });
        })
    )
  });
  preview.offer(featureSpec());
  /** Answer a request: the levels of its pixels are the column in the tile, 0 outside the image as the sidecar has it. */
  const answer = async (at = asked.length - 1) => {
    const { wanted, resolve } = asked[at]!;
    const buffers = wanted.tiles.map(tile => {
      const levels = new Uint8Array(LABEL_TILE ** 2).map((_, i) => {
        const column = i % LABEL_TILE;
        return tile.column * LABEL_TILE + column < 300 ? column : 0;
      });
      return new Uint8Array(deflateRawSync(levels));
    });
    resolve({ result: { name: 'x', low: -1, high: 2 }, buffers });
    await tick();
  };
  return { preview, asked, answer };
}

const tiles = (count: number): ITileRef[] => Array.from({ length: count }, (_, row) => ({ row, column: 0 }));

describe('FeaturePreview', () => {
  it('requests no tiles until it is shown, then those of the chosen channel', async () => {
    const { preview, asked, answer } = make();
    preview.want(0, [A]);
    expect(asked).toEqual([]);
    preview.choose(preview.names.indexOf('gaussian σ=4'));
    preview.show(true);
    preview.want(0, [A, B]);
    expect(asked[0]!.wanted).toMatchObject({ slice: 0, tiles: [A, B], features: featureSpec() });
    expect(preview.names[asked[0]!.wanted.channel]).toBe('gaussian σ=4');
    expect(preview.state).toEqual({ state: 'loading' });
    await answer();
    expect(preview.state).toEqual({ state: 'ready', low: -1, high: 2 });
    expect([preview.at(0, 3, 77), preview.at(0, 3, 256 + 5), preview.at(0, 600, 0)]).toEqual([77, 5, -1]);
  });

  it('keeps tiles while another channel is shown', async () => {
    const { preview, asked, answer } = make();
    preview.show(true);
    preview.want(0, [A]);
    await answer();
    preview.choose(3);
    expect(preview.at(0, 3, 77)).toBe(-1);
    preview.want(0, [A]);
    await answer();
    preview.choose(0);
    preview.want(0, [A]);
    expect(asked).toHaveLength(2);
    expect(preview.at(0, 3, 77)).toBe(77);
    expect(preview.state.state).toBe('ready');
  });

  it('cancels a request when all its tiles left the view', async () => {
    const { preview, asked, answer } = make();
    preview.show(true);
    preview.want(0, [A, B]);
    preview.want(0, [B, FAR]);
    expect(asked[0]!.aborted).toBe(false);
    preview.want(0, [FAR]);
    expect(asked[0]!.aborted).toBe(true);
    await tick();
    expect(asked[1]!.wanted.tiles).toEqual([FAR]);
    await answer();
    expect(preview.state.state).toBe('ready');
  });

  it('cancels a request for another slice or channel, or when it is hidden', async () => {
    const { preview, asked } = make();
    preview.show(true);
    preview.want(0, [A]);
    preview.want(1, [A]);
    expect(asked[0]!.aborted).toBe(true);
    await tick();
    expect(asked[1]!.wanted).toMatchObject({ slice: 1, tiles: [A] });
    preview.choose(2);
    expect(asked[1]!.aborted).toBe(true);
    preview.want(1, [A]);
    await tick();
    preview.show(false);
    expect(asked[2]!.aborted).toBe(true);
    expect(preview.state).toEqual({ state: 'off' });
  });

  it('requests no tiles when too many are in view, and says so', async () => {
    const { preview, asked, answer } = make();
    preview.show(true);
    preview.want(0, tiles(TILES_IN_VIEW_MAX + 1));
    expect(asked).toEqual([]);
    expect(preview.state).toEqual({ state: 'far' });
    preview.want(0, tiles(2));
    expect(asked[0]!.wanted.tiles).toEqual(tiles(2));
    await answer();
    expect(preview.drawn).toBe(true);
    preview.want(0, tiles(TILES_IN_VIEW_MAX + 1));
    expect(preview.drawn).toBe(false);
  });

  it('stops after an error, and begins again with another channel or on retry', async () => {
    const { preview, asked, answer } = make();
    preview.show(true);
    preview.want(0, [A]);
    asked[0]!.reject(new BridgeError('invalid', 'No such slice.'));
    await tick();
    expect(preview.state).toEqual({ state: 'failed', message: 'No such slice.' });
    preview.want(0, [A]);
    expect(asked).toHaveLength(1);
    preview.retry();
    preview.want(0, [A]);
    await answer();
    expect(preview.state.state).toBe('ready');
  });

  it('refuses malformed tiles', async () => {
    const { preview, asked } = make();
    preview.show(true);
    preview.want(0, [A]);
    asked[0]!.resolve({
      result: { name: 'x', low: 0, high: 1 },
      buffers: [new Uint8Array(deflateRawSync(new Uint8Array(7)))]
    });
    await tick();
    expect(preview.state).toMatchObject({ state: 'failed', message: expect.stringContaining('65536') as string });
  });

  it('follows its channel by name when the features change, and waits while the channel is missing', async () => {
    const { preview, asked, answer } = make();
    preview.choose(preview.names.indexOf('gaussian σ=4'));
    preview.show(true);
    const before = preview.channel;
    preview.offer(featureSpec({ sigmas: [4] }));
    expect(preview.name).toBe('gaussian σ=4');
    expect(preview.channel).not.toBe(before);
    preview.want(0, [A]);
    await answer();
    expect(preview.drawn).toBe(true);
    preview.offer(featureSpec({ sigmas: [2] }));
    preview.want(0, [A]);
    expect(asked).toHaveLength(1);
    expect(preview.state).toEqual({ state: 'gone' });
    expect([preview.shown, preview.drawn, preview.name, preview.channel]).toEqual([true, false, 'gaussian σ=4', -1]);
    preview.offer(featureSpec({ sigmas: [4] }));
    preview.want(0, [A]);
    expect(preview.state.state).toBe('ready');
    expect([preview.drawn, preview.at(0, 3, 77)]).toEqual([true, 77]);
  });

  it('shows another chosen feature instead of a missing one, and none when it is switched off', () => {
    const { preview } = make();
    preview.choose(preview.names.indexOf('gaussian σ=4'));
    preview.show(true);
    preview.offer(featureSpec({ sigmas: [2] }));
    preview.choose(preview.names.indexOf('gaussian σ=2'));
    expect(preview.state).toEqual({ state: 'loading' });
    preview.offer(featureSpec({ sigmas: [1] }));
    preview.show(false);
    preview.offer(featureSpec({ sigmas: [2] }));
    expect(preview.state).toEqual({ state: 'off' });
  });

  it('keeps its feature when only the colour changes', () => {
    const preview = new FeaturePreview({
      image: { rows: 9, columns: 9 },
      channels: 3,
      link: new FakeLink()
    });
    preview.offer(featureSpec());
    preview.choose(preview.names.indexOf('green: membrane median'));
    preview.show(true);
    preview.offer(featureSpec({ color: 'luminance' }));
    expect([preview.shown, preview.names[preview.channel]]).toEqual([true, 'membrane median']);
    preview.offer(featureSpec());
    expect([preview.shown, preview.names[preview.channel]]).toEqual([true, 'green: membrane median']);
  });

  it('is as bright at the image’s edge as inside when it is reduced', async () => {
    const { preview, answer } = make();
    preview.show(true);
    preview.want(0, [B, { row: 7, column: 0 }]);
    await answer();
    // The image ends 44 columns into this tile, within the third block of 16.
    const reduced = reduceLevels(preview.levels(0, B)!, 4);
    expect([...reduced.subarray(0, 4)]).toEqual([8, 24, 39, 43]);
    // It ends 208 rows into that one.
    expect(preview.levels(0, { row: 7, column: 0 })![230 * LABEL_TILE + 9]).toBe(9);
  });
});
