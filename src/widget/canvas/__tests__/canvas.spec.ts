/** @jest-environment jsdom */
import '../../__tests__/page';
import { Widget } from '@lumino/widgets';
import { closeAll, image, open, settle, until } from '../../state/__tests__/fake-sidecar';
import { statusText } from '../../frame/status-text';
import { CanvasView } from '../canvas';
import { currentTool, TOOLS } from '../tools';
import { fakePage } from './fake-page';

const page = fakePage();
const canvases: CanvasView[] = [];
afterEach(() => {
  canvases.splice(0).forEach(canvas => canvas.dispose());
  closeAll();
});

async function show(size = image, slices = 1) {
  const labeller = await open(undefined, size, slices);
  const canvas = new CanvasView({ state: labeller.state, hasFocus: () => false });
  canvases.push(canvas);
  Widget.attach(canvas, document.body);
  page.frame();
  const { decoder } = labeller.parts.embedding;
  const point = (type: string, row: number, column: number, init: PointerEventInit = {}) =>
    canvas.node.dispatchEvent(
      page.pointer(type, { clientX: column * canvas.view.scale, clientY: row * canvas.view.scale, ...init })
    );
  return { ...labeller, canvas, decoder, point };
}

describe('CanvasView', () => {
  it('keeps the tool that is pressed first when suggestions become ready', async () => {
    const { state, parts, decoder, point, sidecar } = await show();
    parts.suggestions.decoder = null;
    state.setClass(2); // the canvas looks for the tool in use
    expect(currentTool(state).name).toBe('brush');
    point('pointerdown', 30, 40);
    parts.suggestions.decoder = decoder;
    point('pointerup', 30, 40);
    await state.drained();
    expect(currentTool(state).name).toBe('brush');
    expect(sidecar.labels.some(value => value === 2)).toBe(true);
  });

  it('goes on with the tool that drew where the one that was taken cannot be used', async () => {
    const { state, point } = await show(image, 20);
    state.setTool('suggest');
    state.setDirection('xz');
    const finger = { pointerType: 'touch', pointerId: 7 };
    point('pointerdown', 5, 40, finger);
    expect(state.takenTool).toBe('brush');
    point('pointerdown', 5, 80, { ...finger, pointerId: 8 }); // two fingers move the image
    expect(state.takenTool).toBe('suggest');
    [7, 8].forEach(pointerId => point('pointerup', 5, 80, { ...finger, pointerId }));
    point('pointerdown', 5, 40);
    point('pointerup', 5, 40);
    state.setDirection('xy');
    expect(currentTool(state).name).toBe('brush');
    await state.drained();
  });

  it('tells the user of a tool in the settings that does not exist', async () => {
    const { state } = await show();
    expect(statusText(state).text).not.toContain('airbrush');
    state.settings.set({ tool: 'airbrush' });
    expect(statusText(state).text).toContain(
      `The settings name the tool “airbrush”; the tools are ${TOOLS.map(({ name }) => name).join(', ')}.`
    );
  });

  it('gives Enter and Escape to the tool in use', async () => {
    const { state, parts, canvas, point, sidecar } = await show();
    point('pointermove', 300, 350);
    await until(() => parts.suggestions.current !== null);
    canvas.handler.cancel!();
    expect(parts.suggestions.current).toBeNull();
    point('pointermove', 200, 250);
    await until(() => parts.suggestions.current !== null);
    canvas.handler.finish!();
    await state.drained();
    expect(sidecar.labels[200 * image.columns + 250]).toBe(1);
    state.setTool('brush');
    expect([canvas.handler.finish, canvas.handler.cancel]).toEqual([undefined, undefined]);
  });

  it('hides the suggestion when the user takes another tool', async () => {
    const { state, parts, point } = await show();
    point('pointermove', 300, 350);
    await until(() => parts.suggestions.current !== null);
    state.setTool('brush');
    expect(parts.suggestions.current).toBeNull();
  });

  /** Counts how often each layer is drawn: base and top. */
  const layersOf = (canvas: CanvasView) => {
    const [base, top] = canvas.node.querySelectorAll('canvas');
    const drawn = () => [base, top].map(layer => page.cleared.get(layer!) ?? 0);
    const draw = () => {
      let frames = 0;
      while (page.frame() && frames < 9) {
        frames++;
      }
    };
    draw();
    const before = drawn();
    return { draw, drawn: () => drawn().map((times, layer) => times - before[layer]!) };
  };

  it('redraws only the top layer for a suggestion under the pointer', async () => {
    const { parts, canvas, point } = await show({ rows: 1024, columns: 1024 });
    await settle();
    const { draw, drawn } = layersOf(canvas);
    point('pointermove', 300, 350);
    draw(); // a browser draws while SAM decodes
    await until(() => parts.suggestions.current !== null);
    await settle();
    draw();
    expect(drawn()).toEqual([0, 2]);
  });

  it('redraws only the top layer for the outline of the brush', async () => {
    const { state, canvas, point } = await show({ rows: 1024, columns: 1024 });
    state.setTool('brush');
    await settle();
    const { draw, drawn } = layersOf(canvas);
    point('pointermove', 300, 350);
    draw();
    expect(drawn()).toEqual([0, 1]);
    point('pointerleave', 300, 350);
    draw();
    expect(drawn()).toEqual([0, 2]);
  });

  it('lets a finger show a suggestion, and take it when it is lifted', async () => {
    const { state, parts, point, sidecar } = await show();
    const finger = { pointerType: 'touch', pointerId: 7 };
    point('pointerdown', 200, 250, finger);
    await until(() => parts.suggestions.current !== null);
    await state.drained();
    expect(sidecar.labels[200 * image.columns + 250]).toBe(0);
    point('pointerup', 200, 250, finger);
    await state.drained();
    expect(sidecar.labels[200 * image.columns + 250]).toBe(1);
  });

  it('takes nothing and keeps no tool for the first of two fingers', async () => {
    const { state, parts, canvas, point, sidecar } = await show();
    const { scale } = canvas.view;
    const fingers = [7, 8].map(pointerId => ({ pointerType: 'touch', pointerId }));
    point('pointerdown', 200, 200, fingers[0]);
    await until(() => parts.suggestions.current !== null);
    point('pointerdown', 200, 400, fingers[1]);
    expect(parts.suggestions.current).toBeNull();
    expect(state.takenTool).toBeNull();
    point('pointermove', 200, 600, fingers[1]);
    fingers.forEach(finger => point('pointerup', 200, 300, finger));
    await state.drained();
    await settle();
    expect(canvas.view.scale / scale).toBeCloseTo(2);
    expect(sidecar.labels.some(value => value > 0)).toBe(false);
  });

  it('erases with a pen’s eraser end and leaves the tool as it is', async () => {
    const { state, parts, point, sidecar } = await show();
    state.setTool('brush');
    const pen = { pointerType: 'pen', pointerId: 3 };
    const draw = (init: PointerEventInit) => {
      point('pointerdown', 100, 100, { ...pen, ...init });
      point('pointermove', 100, 140, { ...pen, ...init });
      point('pointerup', 100, 140, { ...pen, button: init.button ?? 0 });
      return state.drained();
    };
    await draw({ button: 0, buttons: 1 });
    expect(sidecar.labels[100 * image.columns + 120]).toBe(1);
    await draw({ button: 5, buttons: 32 });
    expect(sidecar.labels.some(value => value > 0)).toBe(false);
    expect(parts.labels.slice(0).at(100, 120)).toBe(0);
    expect(state.takenTool).toBe('brush');
  });

  it('ends the stroke of a pointer that is lost, and keeps it', async () => {
    const { state, point, sidecar } = await show();
    state.setTool('brush');
    point('pointerdown', 100, 100);
    point('pointermove', 100, 140);
    point('lostpointercapture', 100, 140);
    await state.drained();
    expect(sidecar.labels[100 * image.columns + 120]).toBe(1);
  });

  it('finds the pixel below the pointer where the page scales the canvas', async () => {
    const { canvas, point, sidecar, state } = await show();
    state.setTool('brush');
    const box = { left: 100, top: 50, width: 750, height: 600 } as DOMRect; // 500 CSS pixels of its own
    jest.spyOn(canvas.node, 'getBoundingClientRect').mockReturnValue(box);
    const at = (row: number, column: number) => {
      const { x, y } = canvas.toWindow(canvas.view.toScreen({ x: column + 0.5, y: row + 0.5 }));
      return { clientX: x, clientY: y };
    };
    expect(at(0, 0).clientX).toBeCloseTo(100 + 0.5 * canvas.view.scale * 1.5);
    point('pointerdown', 0, 0, at(300, 350));
    point('pointerup', 0, 0, at(300, 350));
    await state.drained();
    const columns = [...sidecar.labels.keys()].filter(i => sidecar.labels[i]! > 0).map(i => i % image.columns);
    expect([Math.min(...columns), Math.max(...columns)]).toEqual([343, 357]);
  });

  describe('with the cross-hair of the keyboard', () => {
    const right =
      (n: number, far = false) =>
      (canvas: CanvasView) => {
        for (let i = 0; i < n; i++) {
          canvas.cursor.move(1, 0, far);
        }
      };
    const at = ({ cursor }: CanvasView) => ({ row: Math.floor(cursor.at!.y), column: Math.floor(cursor.at!.x) });

    it('draws with the brush while the tool is held down, and erases', async () => {
      const { state, canvas, sidecar } = await show();
      state.setTool('brush');
      state.setClass(2);
      canvas.cursor.press(); // it is off: nothing happens
      canvas.cursor.toggle();
      const from = at(canvas);
      canvas.cursor.press();
      right(20)(canvas);
      const to = at(canvas);
      canvas.cursor.release();
      right(2, true)(canvas);
      await state.drained();
      expect(to.row).toBe(from.row);
      expect(to.column).toBeGreaterThan(from.column + 20);
      const label = (row: number, column: number) => sidecar.labels[row * image.columns + column];
      expect([label(from.row, from.column), label(to.row, to.column), label(to.row, to.column + 9)]).toEqual([2, 2, 0]);
      expect(canvas.cursor.node.textContent).toBe(`Brush, class pore, at row ${to.row}, column ${to.column}`);

      canvas.cursor.finish(); // the brush has nothing to finish: held down until the next Enter
      expect(canvas.cursor.pressed).toBe(true);
      canvas.cursor.finish();
      expect(canvas.cursor.pressed).toBe(false);
      const stamp = at(canvas);
      state.setTool('eraser');
      canvas.cursor.press();
      canvas.cursor.release();
      await state.drained();
      expect(label(stamp.row, stamp.column)).toBe(0);
    });

    it('sets the vertices of a polygon, and closes it', async () => {
      const { state, canvas, sidecar } = await show();
      state.setTool('polygon');
      canvas.cursor.toggle();
      const start = at(canvas);
      const vertex = () => {
        canvas.cursor.press();
        canvas.cursor.release();
      };
      vertex();
      right(2, true)(canvas);
      vertex();
      canvas.cursor.move(0, 1, true);
      canvas.cursor.move(0, 1, true);
      const end = at(canvas);
      vertex();
      canvas.cursor.finish();
      await state.drained();
      const inside = [
        Math.round(start.row + (end.row - start.row) / 4),
        Math.round(start.column + (end.column - start.column) / 2)
      ];
      expect(sidecar.labels[inside[0]! * image.columns + inside[1]!]).toBe(1);
      expect(sidecar.labels[(end.row - 2) * image.columns + start.column + 2]).toBe(0);
    });

    it('shows suggestions where it goes and accepts them', async () => {
      const { state, parts, canvas, sidecar } = await show();
      canvas.cursor.toggle();
      right(1)(canvas);
      await until(() => parts.suggestions.current !== null);
      canvas.cursor.press();
      canvas.cursor.release();
      await state.drained();
      const { row, column } = at(canvas);
      expect(sidecar.labels[row * image.columns + column]).toBe(1);
    });

    it('stays in view and inside the image, and arrows without it move the view', async () => {
      const { canvas } = await show();
      canvas.navigation.zoom(8);
      const before = canvas.view.visible();
      canvas.cursor.move(1, 0, false);
      expect(canvas.view.visible().column0).toBeGreaterThan(before.column0);
      canvas.cursor.toggle();
      for (let i = 0; i < 400; i++) {
        canvas.cursor.move(-1, -1, true);
        const { x, y } = canvas.view.toScreen(canvas.cursor.at!);
        expect(x >= 0 && y >= 0 && x <= canvas.view.width && y <= canvas.view.height).toBe(true);
      }
      expect(at(canvas)).toEqual({ row: 0, column: 0 });
      canvas.cursor.toggle();
      expect(canvas.cursor.at).toBeNull();
    });
  });
});
