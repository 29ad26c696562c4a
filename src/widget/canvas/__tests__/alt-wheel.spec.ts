/** @jest-environment jsdom */
import '../../__tests__/page';
import { Settings } from '../../base/settings';
import { AltWheel } from '../alt-wheel';
import { turnBrush } from '../tools/brush';

it('changes the brush with Alt alone, by notches of a mouse and by the sum of a touchpad’s turns', () => {
  const settings = new Settings({ brushSize: 20 });
  let sizes = true;
  const wheel = new AltWheel({ used: () => (sizes ? steps => turnBrush({ settings }, steps) : undefined) });
  const turn = (deltaY: number, keys: WheelEventInit = { altKey: true }) => {
    const event = new WheelEvent('wheel', { deltaY, cancelable: true, ...keys });
    expect(wheel.turn(event)).toBe(event.defaultPrevented);
    return event.defaultPrevented;
  };
  const size = () => settings.values.brushSize;
  expect([turn(-50), size()]).toEqual([true, 22]);
  expect([turn(50), size()]).toEqual([true, 20]);
  for (let n = 0; n < 12; n++) {
    turn(-4);
    expect(size()).toBe(20);
  }
  expect([turn(-4), size()]).toEqual([true, 22]);
  expect([turn(10_000), size()]).toEqual([true, 16]); // three steps at most
  for (const keys of [{}, { altKey: true, ctrlKey: true }, { altKey: true, shiftKey: true }, { ctrlKey: true }]) {
    expect(turn(-500, keys)).toBe(false);
  }
  sizes = false;
  expect([turn(-500), size()]).toEqual([false, 16]);
});
