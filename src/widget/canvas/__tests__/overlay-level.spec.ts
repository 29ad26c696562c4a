/**
 * How many tiles of overlays a view asks for.
 * @jest-environment jsdom
 */
import '../../__tests__/page';
import { Widget } from '@lumino/widgets';
import { LABEL_TILE } from '../../../shared';
import { ITileRef, tilesIn, ViewTransform } from '../../base/geometry';
import { closeAll, open } from '../../state/__tests__/fake-sidecar';
import { CanvasView } from '../canvas';
import { overlayLevel } from '../painter';
import { fakePage } from './fake-page';

const page = fakePage();
let canvas: CanvasView | null = null;
afterEach(() => {
  canvas?.dispose();
  canvas = null;
  closeAll();
});

describe('Overlays', () => {
  it.each([
    [1, 800, 600],
    [1, 1900, 1000],
    [2, 1900, 1000]
  ])('of 20,000² pixels at %s device pixels ask for no more tiles than %s × %s show', (ratio, width, height) => {
    const image = { rows: 20000, columns: 20000 };
    const view = new ViewTransform(image);
    view.resize(width, height);
    view.fit();
    for (; view.scale < 8; view.zoomAt({ x: width / 3, y: height / 3 }, 1.3)) {
      const level = overlayLevel(image, view, ratio);
      const tiles = tilesIn(view.visible(), LABEL_TILE, level).length;
      // A tile has at least as many pixels as the screen shows, but less than twice as many a side, unless few tiles do.
      const side = LABEL_TILE / 2;
      const shown = (Math.ceil((width * ratio) / side) + 1) * (Math.ceil((height * ratio) / side) + 1);
      expect(tiles).toBeLessThanOrEqual(Math.max(64, shown));
      expect(view.scale * ratio * 2 ** level).toBeLessThanOrEqual(Math.max(1, view.scale * ratio) + 1e-9);
    }
  });

  it('of a small image are of full resolution at every zoom', () => {
    const image = { rows: 1500, columns: 2000 };
    const view = new ViewTransform(image);
    view.resize(300, 200);
    view.fit();
    expect(overlayLevel(image, view, 1)).toBe(0);
  });

  it('are asked for at the level of the view', async () => {
    const { state, parts } = await open(undefined, { rows: 6000, columns: 6000 });
    const asked: [ITileRef[], number | undefined][] = [];
    parts.segmentation.want = (_, tiles, __, level) => void asked.push([tiles, level]);
    parts.uncertainty.want = (_, tiles, level) => void asked.push([tiles, level]);
    parts.uncertainty.follow(1);
    parts.uncertainty.show(true);
    canvas = new CanvasView({ state, hasFocus: () => true });
    Widget.attach(canvas, document.body);
    page.frame();
    const level = overlayLevel(parts.image, canvas.view, 1);
    expect(level).toBeGreaterThan(0);
    const inView = tilesIn(canvas.view.visible(), LABEL_TILE, level);
    expect(asked.slice(0, 2)).toEqual([
      [inView, level],
      [inView, level]
    ]);
    expect(inView.length).toBeLessThanOrEqual(64);
  });
});
