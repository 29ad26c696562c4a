import { ViewTransform } from '../../../base/geometry';
import { closeAll, image, open } from '../../../state/__tests__/fake-sidecar';
import { currentTool, findTool, TOOLS } from '..';

afterEach(closeAll);

describe('The tools', () => {
  it('have names and keys of their own', () => {
    expect(new Set(TOOLS.map(({ name }) => name)).size).toBe(TOOLS.length);
    expect(new Set(TOOLS.map(({ key }) => key)).size).toBe(TOOLS.length);
    for (const { key, description } of TOOLS) {
      expect(key).toMatch(/^[a-z]$/);
      expect(description).toContain(`(${key.toUpperCase()})`);
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
    state.settings.set({ tool: 'lasso' });
    expect(currentTool(state)).toBe(TOOLS[0]);
    state.settings.set({ tool: 'eraser' });
    expect(currentTool(state).name).toBe('eraser');
  });

  it('paint with the brush and erase with Alt', async () => {
    const { state, sidecar } = await open();
    const brush = findTool('brush')!.create({ state, view: new ViewTransform(image), redraw: () => undefined });
    const drag = async (altKey: boolean) => {
      const at = (x: number) => ({ image: { x, y: 30 }, kind: 'mouse' as const, altKey, time: 0 });
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
