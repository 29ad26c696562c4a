/** @jest-environment jsdom */
import '../../__tests__/page';
import { CanvasView } from '../../canvas/canvas';
import { IToolHandler, TOOLS } from '../../canvas/tools';
import { element } from '../../base/dom';
import { KeyMap } from '../keys';
import { lastUsed } from '../../base/last-used';
import { setUserKeys } from '../../base/user-keys';
import { LabellerState } from '../../state/labeller-state';

const maps: KeyMap[] = [];
afterEach(() => setUserKeys(null));
afterEach(() => maps.splice(0).forEach(map => map.dispose()));

function make() {
  const chosen: number[] = [];
  const looked: object[] = [];
  const region = { slice: 0, row0: 1, row1: 2, column0: 3, column1: 4 };
  const left: string[] = [];
  const tools: string[] = [];
  const full = { on: false };
  let found = (_: object | null): void => undefined;
  const state = {
    direction: 'xy',
    session: { classes: [{ id: 7 }, { id: 9 }] },
    settings: { values: { tool: 'polygon' } },
    carrying: { cancel: () => false },
    parts: {
      guide: { leave: () => left.push('left'), dismiss: () => left.push('dismissed') },
      suggestions: { held: null },
      similar: { count: 0 }
    },
    nextRegion: () => new Promise(resolve => (found = resolve)),
    setClass: (id: number) => chosen.push(id),
    setTool: (name: string) => tools.push(name)
  } as unknown as LabellerState;
  const canvas = {
    node: element('div', {}),
    panning: false,
    hideOverlays: false,
    underPointer: false,
    handler: {
      press: () => undefined,
      cancel: () => left.push('cancelled') % 2 === 1,
      finish: () => undefined
    } as IToolHandler,
    cursor: { at: null, release: () => undefined, finish: () => undefined },
    navigation: { lookAt: (at: object) => looked.push(at) }
  };
  const node = element('div', { tabindex: '0' });
  document.body.replaceChildren(node);
  const toggleHelp = jest.fn();
  const toggleFullWindow = () => (full.on = !full.on);
  const isFullWindow = () => full.on;
  const view = { node, state, canvas: canvas as unknown as CanvasView, toggleHelp, toggleFullWindow, isFullWindow };
  const map = new KeyMap(view);
  maps.push(map);
  const press = (target: HTMLElement, key: string, more: KeyboardEventInit = {}) => {
    node.append(target);
    const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more });
    target.dispatchEvent(event);
    return event.defaultPrevented;
  };
  return {
    full,
    map,
    toggleHelp,
    chosen,
    tools,
    canvas,
    press,
    node,
    looked,
    left,
    region,
    find: (at: object | null) => found(at)
  };
}

describe('KeyMap', () => {
  it('chooses classes and hides overlays wherever the focus is, except in text fields', () => {
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

  it('switches to each tool by its key, in upper and lower case', () => {
    const { tools, press } = make();
    TOOLS.forEach(({ key }) => [press(element('div', {}), key), press(element('div', {}), key.toUpperCase())]);
    expect(tools).toEqual(TOOLS.flatMap(({ name }) => [name, name]));
    expect(press(element('div', {}), 'z')).toBe(false);
  });

  it('runs a command at the key that the user has set for it, and no longer at its own', () => {
    const { tools, press } = make();
    setUserKeys(new Map([['take-brush', ['Alt J']]]));
    press(element('div', {}), 'b');
    expect(tools).toEqual([]);
    press(element('div', {}), '∆', { code: 'KeyJ', altKey: true });
    expect(tools).toEqual(['brush']);
    setUserKeys(null);
    press(element('div', {}), 'b');
    expect(tools).toEqual(['brush', 'brush']);
  });

  it('does again while a key is held down only what is meant to be done again', () => {
    const { tools, press, canvas } = make();
    press(element('div', {}), 'b', { repeat: true });
    expect(tools).toEqual([]);
    const removeLast = jest.fn();
    canvas.handler.removeLast = removeLast;
    press(element('div', {}), 'Backspace', { repeat: true });
    expect(removeLast).toHaveBeenCalledTimes(1);
  });

  it('keeps hiding overlays until the key that hid them is let go, or the focus leaves', () => {
    const { canvas, press, node } = make();
    press(element('div', {}), 'h', { code: 'KeyH' });
    node.dispatchEvent(new KeyboardEvent('keyup', { key: 'x', code: 'KeyX' }));
    expect(canvas.hideOverlays).toBe(true);
    node.dispatchEvent(new KeyboardEvent('keyup', { key: 'H', code: 'KeyH', shiftKey: true }));
    expect(canvas.hideOverlays).toBe(false);
    press(element('div', {}), 'h', { code: 'KeyH' });
    node.dispatchEvent(new FocusEvent('focusout', { relatedTarget: document.body }));
    expect(canvas.hideOverlays).toBe(false);
  });

  it('leaves keys with Ctrl to JupyterLab unless they are keys of a command', () => {
    const { node, press } = make();
    expect(press(element('div', {}), 's', { ctrlKey: true })).toBe(false);
    expect(node.dataset['lmSuppressShortcuts']).toBeUndefined();
    press(element('div', {}), 'b');
    expect(node.dataset['lmSuppressShortcuts']).toBe('true');
  });

  it('runs a command for JupyterLab by its name if it is enabled', () => {
    const { map, chosen, toggleHelp } = make();
    expect([map.can('choose-class-2'), map.can('choose-class-3')]).toEqual([true, false]);
    map.run('choose-class-2');
    map.run('choose-class-3');
    expect(chosen).toEqual([9]);
    map.run('show-keys');
    expect(toggleHelp).toHaveBeenCalledTimes(1);
    expect(() => map.run('fly')).toThrow('There is no command “fly”');
  });

  it('uses Backspace only if the current tool can remove its last point', () => {
    const { canvas, press } = make();
    expect(press(element('div', {}), 'Backspace')).toBe(false);
    const removeLast = jest.fn();
    canvas.handler.removeLast = removeLast;
    expect(press(element('div', {}), 'Backspace')).toBe(true);
    expect(removeLast).toHaveBeenCalledTimes(1);
  });

  it('goes to the next region, unless the user presses the pointer first', async () => {
    const { press, canvas, looked, left, region, find } = make();
    press(element('div', {}), 'n');
    find(region);
    await Promise.resolve().then(() => undefined);
    expect(looked).toEqual([region]);
    canvas.node.dispatchEvent(new Event('pointerdown'));
    expect(left).toEqual([]);
    press(element('div', {}), 'N');
    canvas.node.dispatchEvent(new Event('pointerdown'));
    expect(left).toEqual(['left']);
    find(null);
    await Promise.resolve().then(() => undefined);
    expect(looked).toEqual([region]);
    press(element('div', {}), 'Escape');
    expect(left).toEqual(['left', 'cancelled', 'dismissed']);
  });

  it('leaves the whole window by Escape once there is nothing else to drop', () => {
    const { press, full, left } = make();
    press(element('div', {}), 'w');
    expect(full.on).toBe(true);
    press(element('div', {}), 'Escape'); // drops a polygon
    expect([full.on, left]).toEqual([true, ['cancelled', 'dismissed']]);
    left.length = 1;
    press(element('div', {}), 'Escape');
    expect(full.on).toBe(false);
  });

  it('is the target of commands while it is the last used one, until it is disposed', () => {
    make();
    const first = maps.at(-1)!;
    const { node } = make();
    expect(lastUsed()).toBe(maps.at(-1));
    first.dispose();
    expect(lastUsed()).toBe(maps.at(-1));
    const other = make();
    expect(lastUsed()).toBe(maps.at(-1));
    node.dispatchEvent(new Event('focusin'));
    expect(lastUsed()).toBe(maps.at(-2));
    maps.at(-2)!.dispose();
    expect(lastUsed()).toBeNull();
    other.node.dispatchEvent(new Event('focusin'));
    expect(lastUsed()).toBe(maps.at(-1));
  });

  it('leaves keys other than H to a list with the focus, until the pointer is over the image', () => {
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
    'leaves space, Enter and arrows to a control that has the focus (%s)',
    tag => {
      const { canvas, press } = make();
      expect(press(element(tag, {}), ' ')).toBe(false);
      expect(press(element(tag, {}), 'Enter')).toBe(false);
      expect(press(element(tag, {}), 'ArrowRight')).toBe(false);
      expect(canvas.panning).toBe(false);
      press(element('div', {}), ' ');
      expect(canvas.panning).toBe(true);
    }
  );
});
