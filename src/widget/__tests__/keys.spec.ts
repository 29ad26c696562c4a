/** @jest-environment jsdom */
import './page';
import { CanvasView } from '../canvas';
import { element } from '../dom';
import { KeyMap } from '../keys';
import { LabellerState } from '../model';

const maps: KeyMap[] = [];
afterEach(() => maps.splice(0).forEach(map => map.dispose()));

function make() {
  const chosen: number[] = [];
  const state = {
    session: { classes: [{ id: 7 }, { id: 9 }] },
    settings: {},
    parts: null,
    setClass: (id: number) => chosen.push(id)
  } as unknown as LabellerState;
  const canvas = { panning: false, hideOverlays: false, underPointer: false };
  const node = element('div', { tabindex: '0' });
  document.body.replaceChildren(node);
  maps.push(new KeyMap({ node, state, canvas: canvas as CanvasView }));
  const press = (target: HTMLElement, key: string) => {
    node.append(target);
    const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
    target.dispatchEvent(event);
    return event.defaultPrevented;
  };
  return { chosen, canvas, press };
}

describe('KeyMap', () => {
  it('chooses classes and hides overlays from anywhere in the labeller but where text is typed', () => {
    const { chosen, canvas, press } = make();
    press(element('div', {}), '2');
    press(element('input', { type: 'checkbox' }), '1');
    expect(chosen).toEqual([9, 7]);
    const text = element('input', { type: 'text' });
    expect([press(text, '1'), press(text, 'h')]).toEqual([false, false]);
    expect(chosen).toEqual([9, 7]);
    expect(canvas.hideOverlays).toBe(false);
    press(element('summary', {}), 'h');
    expect(canvas.hideOverlays).toBe(true);
  });

  it('hides overlays, and chooses nothing, while a list has the focus; its other keys are the list’s until the pointer is over the image', () => {
    const { chosen, canvas, press } = make();
    const list = element('select', {});
    expect(press(list, '1')).toBe(false);
    expect(press(list, 'h')).toBe(true);
    expect(canvas.hideOverlays).toBe(true);
    expect(chosen).toEqual([]);
    canvas.underPointer = true;
    expect(press(list, '1')).toBe(true);
    expect(chosen).toEqual([7]);
    expect(press(list, 'ArrowDown')).toBe(false);
  });

  it.each(['input', 'button', 'summary', 'select'] as const)(
    'leaves space and Enter to a control that has the focus (%s)',
    tag => {
      const { canvas, press } = make();
      expect(press(element(tag, {}), ' ')).toBe(false);
      expect(press(element(tag, {}), 'Enter')).toBe(false);
      expect(canvas.panning).toBe(false);
      press(element('div', {}), ' ');
      expect(canvas.panning).toBe(true);
    }
  );
});
