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

async function show(size = image) {
  const labeller = await open(undefined, size);
  const canvas = new CanvasView({ state: labeller.state, hasFocus: () => false });
  canvases.push(canvas);
  Widget.attach(canvas, document.body);
  page.frame();
  const { decoder } = labeller.parts.embedding;
  const point = (type: string, row: number, column: number, button = 0) =>
    canvas.node.dispatchEvent(
      page.pointer(type, { clientX: column * canvas.view.scale, clientY: row * canvas.view.scale, button })
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

  it('tells the user of a tool in the settings that does not exist', async () => {
    const { state } = await show();
    expect(statusText(state).text).not.toContain('lasso');
    state.settings.set({ tool: 'lasso' });
    expect(statusText(state).text).toContain(
      `The settings name the tool “lasso”; the tools are ${TOOLS.map(({ name }) => name).join(', ')}.`
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

  it('redraws only the top layer for a suggestion under the pointer', async () => {
    const { parts, canvas, point } = await show({ rows: 1024, columns: 1024 });
    const [base, top] = canvas.node.querySelectorAll('canvas');
    const draw = () => {
      let frames = 0;
      while (page.frame() && frames < 9) {
        frames++;
      }
    };
    const drawn = () => [base, top].map(layer => page.cleared.get(layer!) ?? 0);
    await settle();
    draw();
    const before = drawn();
    point('pointermove', 300, 350);
    draw(); // a browser draws while SAM decodes
    await until(() => parts.suggestions.current !== null);
    await settle();
    draw();
    const count = drawn().map((times, layer) => times - before[layer]!);
    expect(count).toEqual([0, 2]);
  });
});
