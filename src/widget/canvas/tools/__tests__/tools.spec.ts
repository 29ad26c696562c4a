import { ViewTransform } from '../../../base/geometry';
import { closeAll, image, open } from '../../../state/__tests__/fake-sidecar';
import { IMaskedPatch } from '../../../labels/patches';
import { currentTool, findTool, IToolHandler, TOOLS } from '..';

afterEach(closeAll);

describe('The tools', () => {
  it('have names and keys of their own', () => {
    expect(new Set(TOOLS.map(({ name }) => name)).size).toBe(TOOLS.length);
    expect(new Set(TOOLS.map(({ key }) => key)).size).toBe(TOOLS.length);
    for (const { key, description } of TOOLS) {
      expect(key).toMatch(/^[a-z]$/);
      expect(description).not.toContain(`(${key.toUpperCase()})`); // the button adds the key, which users can change
    }
  });

  it('begin with the brush, go to suggestions once SAM is ready, and stay with the tool that the user takes', async () => {
    const { state, parts } = await open();
    const { decoder } = parts.embedding;
    parts.suggestions.decoder = null;
    expect(currentTool(state).name).toBe('brush');
    parts.suggestions.decoder = decoder;
    expect(currentTool(state).name).toBe('suggest');
    state.setTool('eraser');
    expect(currentTool(state).name).toBe('eraser');
  });

  it('begin with the default where the settings name one that does not exist', async () => {
    const { state } = await open();
    state.settings.set({ tool: 'airbrush' });
    expect(currentTool(state)).toBe(TOOLS[0]);
    state.settings.set({ tool: 'eraser' });
    expect(currentTool(state).name).toBe('eraser');
  });

  const use = async () => {
    const labeller = await open();
    const { state, sidecar } = labeller;
    const make = (name: string) => {
      state.setTool(name);
      return findTool(name)!.create({ state, view: new ViewTransform(image), redraw: () => undefined });
    };
    const at = (x: number, y: number, keys = {}) => ({
      image: { x, y },
      kind: 'mouse' as const,
      altKey: false,
      shiftKey: false,
      accelKey: false,
      time: 0,
      ...keys
    });
    const click = (handler: IToolHandler, x: number, y: number, keys = {}) => {
      handler.press(at(x, y, keys));
      handler.release!(at(x, y, keys));
    };
    /** The label of a pixel once all is sent. */
    const label = async (row: number, column: number) => {
      await state.drained();
      return sidecar.labels[row * image.columns + column];
    };
    const sent: IMaskedPatch[] = [];
    state.parts!.labels.committed.connect((_, { patch }) => sent.push(patch));
    return { ...labeller, make, at, click, label, sent };
  };

  it('fill a polygon as one patch that says its tool, and keep older labels', async () => {
    const { state, make, at, click, label, sent } = await use();
    const polygon = make('polygon');
    const triangle = () =>
      [
        [10, 10],
        [200, 10],
        [10, 200]
      ].forEach(([x, y]) => click(polygon, x!, y!));
    triangle();
    expect(sent).toHaveLength(0);
    polygon.finish!();
    expect(sent.map(({ made, classId }) => [made, classId])).toEqual([[{ provenance: 'hand', tool: 'polygon' }, 1]]);
    expect([await label(50, 50), await label(150, 150), await label(9, 50)]).toEqual([1, 0, 0]);
    state.setClass(2);
    triangle();
    polygon.secondaryPress!(at(0, 0));
    expect(await label(50, 50)).toBe(1);
    state.settings.set({ overlap: 'over' });
    triangle();
    polygon.finish!();
    expect(await label(50, 50)).toBe(2);
  });

  it('take a vertex of a polygon back, drop it, and set none for the second click of a double click', async () => {
    const { make, click, label, sent } = await use();
    const polygon = make('polygon');
    click(polygon, 10, 10);
    click(polygon, 200, 10);
    click(polygon, 200, 10.5);
    polygon.removeLast!();
    polygon.removeLast!();
    polygon.removeLast!(); // none is left
    polygon.finish!();
    click(polygon, 10, 10);
    click(polygon, 200, 10);
    click(polygon, 10, 200);
    polygon.cancel!();
    polygon.finish!();
    expect(sent).toHaveLength(0);
    expect(await label(50, 50)).toBe(0);
  });

  it('hold a suggestion and refine it by points, a scribble and a box, and accept it as one patch', async () => {
    const { state, make, at, click, label, sent } = await use();
    const suggest = make('suggest');
    const suggestions = state.parts!.suggestions;
    const drag = (from: number[], to: number[], keys = {}) => {
      suggest.press(at(from[0]!, from[1]!, keys));
      suggest.drag!([at(to[0]!, to[1]!, keys)]);
      suggest.release!(at(to[0]!, to[1]!, keys));
    };
    click(suggest, 300, 100, { accelKey: true }); // what lies outside of nothing
    expect(suggestions.held).toBeNull();
    expect(state.notice).toMatch(/^Shift-click the object first/);

    drag([200.5, 150.2], [100.5, 250.7]);
    expect(suggestions.held).toEqual({ points: [], box: { row0: 150, row1: 251, column0: 100, column1: 201 } });
    expect(state.notice).toBeNull(); // what it asked for is done
    click(suggest, 150, 200);
    click(suggest, 151, 200); // the second one of a double click
    click(suggest, 300, 100, { accelKey: true });
    drag([100, 400], [148, 400], { shiftKey: true });
    expect(suggestions.held!.points).toEqual([
      { row: 200, column: 150, label: 1 },
      { row: 100, column: 300, label: 0 },
      ...[100, 124, 148].map(column => ({ row: 400, column, label: 1 }))
    ]);
    expect(suggest.undo!()).toBe(true);
    expect(suggestions.held!.points).toHaveLength(2);
    expect(sent).toHaveLength(0);
    suggest.finish!();
    expect(suggestions.held).toBeNull();
    expect(await label(200, 150)).toBe(1);
    expect(sent).toHaveLength(1);
    expect(suggest.undo!()).toBe(false);
  });

  it('take what does not belong to a suggestion with the right button if the settings say so', async () => {
    const { state, make, at, click } = await use();
    const suggest = make('suggest');
    const { suggestions } = state.parts!;
    click(suggest, 150, 200, { shiftKey: true });
    suggest.secondaryPress!(at(300, 100));
    expect([suggestions.held!.points.length, state.suggestionOptions.values.scale]).toEqual([1, 'small']);
    state.settings.set({ negativeClick: 'right' });
    suggest.secondaryPress!(at(300, 100));
    expect(suggestions.held!.points[1]).toEqual({ row: 100, column: 300, label: 0 });
    expect(suggest.cancel!()).toBe(true);
    suggest.secondaryPress!(at(300, 100));
    expect([suggestions.held, state.suggestionOptions.values.scale]).toEqual([null, 'medium']);
  });

  it('begin no box where Escape or another slice ended the press', async () => {
    const { state, make, at } = await use();
    const suggest = make('suggest');
    for (const end of [() => suggest.cancel!(), () => suggest.stepped!()]) {
      suggest.press(at(10, 10));
      suggest.drag!([at(100, 100)]);
      end();
      suggest.release!(at(100, 100));
    }
    expect(state.parts!.suggestions.held).toBeNull();
    await state.drained();
  });

  it('keep a polygon while the class is picked, and go on with it', async () => {
    const { state, make, at, click, label } = await use();
    state.setClass(2);
    const lasso = make('lasso');
    lasso.press(at(300, 300));
    lasso.drag!([at(330, 300), at(330, 330), at(300, 330)]);
    lasso.release!(at(300, 300));
    expect(await label(310, 310)).toBe(2);
    state.setClass(1);
    const polygon = make('polygon');
    click(polygon, 10, 10);
    click(polygon, 200, 10);
    const pick = make('pick');
    click(pick, 100, 100);
    expect(currentTool(state).name).toBe('pick'); // there is no label
    click(pick, 310, 310);
    expect([currentTool(state).name, state.currentClass!.id]).toEqual(['polygon', 2]);
    click(polygon, 10, 200);
    polygon.finish!();
    expect(await label(50, 50)).toBe(2);
  });

  it('drop a lasso on Escape and when its press does not count', async () => {
    const { make, at, sent } = await use();
    const lasso = make('lasso');
    for (const stop of ['cancel', 'abort'] as const) {
      lasso.press(at(10, 10));
      lasso.drag!([at(100, 10), at(100, 100)]);
      lasso[stop]!();
      lasso.release!(at(100, 100));
    }
    expect(sent).toHaveLength(0);
  });

  it('draw a straight line with Shift from the end of the last stroke of the same slice', async () => {
    const { make, click, label } = await use();
    const brush = make('brush');
    click(brush, 20, 20, { shiftKey: true }); // there was no stroke before
    expect(await label(20, 20)).toBe(1);
    click(brush, 220, 120, { shiftKey: true });
    expect(await label(70, 120)).toBe(1);
    click(brush, 20, 220);
    expect(await label(170, 120)).toBe(0);
    const eraser = make('eraser');
    click(eraser, 20, 20);
    click(eraser, 220, 120, { shiftKey: true });
    expect(await label(70, 120)).toBe(0);
  });

  it('fill a stroke that comes back to its start, if the user wants it, and no other, as one patch', async () => {
    const { state, sidecar, make, at, sent } = await use();
    state.settings.set({ brushSize: 12 });
    const brush = make('brush');
    const ring = Array.from({ length: 61 }, (_, i) => ({
      x: 200 + 90 * Math.cos((i * Math.PI) / 30.5) + 0.1,
      y: 150 + 60 * Math.sin((i * Math.PI) / 30.5) + 0.1
    }));
    const draw = async (path: typeof ring) => {
      sidecar.labels.fill(0);
      sent.length = 0;
      brush.press(at(path[0]!.x, path[0]!.y));
      brush.drag!(path.slice(1).map(({ x, y }) => at(x, y)));
      brush.release!(at(path[path.length - 1]!.x, path[path.length - 1]!.y));
      await state.drained();
      expect(sent).toHaveLength(1);
      return Buffer.from(sidecar.labels);
    };
    /** The discs along a path, and what is inside it: by distances, and by the crossings of a line to the left. */
    const wanted = (path: typeof ring, filled: boolean) => {
      const out = Buffer.alloc(image.rows * image.columns);
      for (let row = 70; row < 230; row++) {
        for (let column = 90; column < 310; column++) {
          const x = column + 0.5;
          const y = row + 0.5;
          let inside = false;
          let near = false;
          for (let n = 0; n < path.length; n++) {
            const a = path[n]!;
            const b = path[(n + 1) % path.length]!;
            const dx = b.x - a.x;
            const dy = b.y - a.y;
            const t = Math.min(Math.max(((x - a.x) * dx + (y - a.y) * dy) / (dx * dx + dy * dy), 0), 1);
            const isDrawn = n + 1 < path.length; // the last edge closes the path
            near ||= isDrawn && (x - a.x - t * dx) ** 2 + (y - a.y - t * dy) ** 2 <= 36;
            if (a.y <= y !== b.y <= y && a.x + ((y - a.y) * dx) / dy < x) {
              inside = !inside;
            }
          }
          out[row * image.columns + column] = near || (filled && inside) ? 1 : 0;
        }
      }
      return out;
    };
    expect((await draw(ring)).equals(wanted(ring, false))).toBe(true);
    state.settings.set({ brushFills: true });
    expect((await draw(ring)).equals(wanted(ring, true))).toBe(true);
    const open = ring.slice(0, 50);
    expect((await draw(open)).equals(wanted(open, false))).toBe(true);
    const dab = ring.slice(0, 2);
    expect((await draw(dab)).equals(wanted(dab, false))).toBe(true);
  });

  it('show no straight line after a click with Shift, before the pointer moves on', async () => {
    const { make, at, click } = await use();
    const brush = make('brush');
    click(brush, 20, 20);
    const lines = () => {
      const context = { lines: 0, lineTo: () => context.lines++ };
      const drawn = new Proxy(context, { get: (target, name) => Reflect.get(target, name) ?? (() => undefined) });
      brush.paint!(drawn as unknown as CanvasRenderingContext2D, new ViewTransform(image));
      return context.lines;
    };
    brush.hover!(at(100, 20, { shiftKey: true }));
    expect(lines()).toBe(2);
    click(brush, 100, 20, { shiftKey: true });
    expect(lines()).toBe(0);
    brush.hover!(at(100, 120, { shiftKey: true }));
    expect(lines()).toBe(2);
  });

  it('pick the class of the segmentation where there is no label', async () => {
    const { state, make, click } = await use();
    jest.spyOn(state.parts!.segmentation, 'at').mockReturnValue(2);
    click(make('pick'), 310, 310);
    expect(state.currentClass!.id).toBe(2);
  });

  it('paint with the brush and erase with Alt', async () => {
    const { state, sidecar } = await open();
    const brush = findTool('brush')!.create({ state, view: new ViewTransform(image), redraw: () => undefined });
    const drag = async (altKey: boolean) => {
      const at = (x: number) => ({
        image: { x, y: 30 },
        kind: 'mouse' as const,
        altKey,
        shiftKey: false,
        accelKey: false,
        time: 0
      });
      brush.press(at(30));
      brush.drag!([at(60)]);
      brush.release!(at(60));
      await state.drained();
      return sidecar.labels[30 * image.columns + 45];
    };
    expect(await drag(false)).toBe(1);
    expect(await drag(true)).toBe(0);
  });
});
