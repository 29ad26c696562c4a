/** @jest-environment jsdom */
import '../../__tests__/page';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setUserKeys } from '../../base/user-keys';
import {
  COMMANDS,
  commandOf,
  findCommand,
  ILabellerView,
  inJupyterLab,
  keysOf,
  keystrokesOf,
  keystrokeText,
  normalKeystroke,
  shortcuts
} from '..';
import { titleWithKey } from '../titles';

const of = (key: string, more: KeyboardEventInit = {}) => keystrokesOf(new KeyboardEvent('keydown', { key, ...more }));

/** The names of the commands at a key. */
const at = (key: string, more: KeyboardEventInit = {}) => commandOf(of(key, more))?.name;

describe('COMMANDS', () => {
  it('gives no key and no name to two commands, and writes each key as events are read', () => {
    const keys = COMMANDS.flatMap(command => command.keys);
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
    const names = COMMANDS.map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
    expect(keys.map(normalKeystroke)).toEqual(keys);
  });

  it('names each in JupyterLab as a verb and a noun, with a label', () => {
    for (const command of COMMANDS) {
      expect(command.name).toMatch(/^[a-z]+(-[a-z0-9]+)*$/);
      expect(command.label()).toMatch(/^[A-Z]/);
    }
  });

  it('has its keys in the schema, where JupyterLab lists them (node scripts/build.mjs browser writes them)', () => {
    const schema = JSON.parse(readFileSync(join(__dirname, '../../../../schema/widget.json'), 'utf8')) as object;
    expect((schema as Record<string, unknown>)['jupyter.lab.shortcuts']).toEqual(shortcuts());
    expect(shortcuts()).toContainEqual({ command: 'sambalab:take-brush', keys: ['B'], selector: '.sambalab' });
    expect(shortcuts().some(({ command }) => command === 'sambalab:pan')).toBe(false);
  });

  it('finds the command of a key on other keyboards, with Caps Lock, and with Shift', () => {
    expect([at('b'), at('B'), at('B', { shiftKey: true })]).toEqual(Array(3).fill('take-brush'));
    expect(at('и', { code: 'KeyB' })).toBe('take-brush');
    expect([at('1'), at('!', { code: 'Digit1', shiftKey: true }), at('&', { code: 'Digit1' })]).toEqual([
      'choose-class-1',
      undefined,
      'choose-class-1'
    ]);
    expect(at('q', { code: 'KeyA' })).toBe('draw-on-correction'); // a French keyboard: Q where A is on others
    expect([at('z', { ctrlKey: true }), at('Z', { metaKey: true, shiftKey: true }), at('z')]).toEqual([
      'undo',
      'redo',
      undefined
    ]);
    expect([at('['), at('{', { shiftKey: true }), at('?', { shiftKey: true })]).toEqual([
      'shrink-brush',
      'shrink-brush-much',
      'show-keys'
    ]);
    expect(of('Shift', { shiftKey: true })).toEqual([]);
  });

  it('carries an object in a stack whose suggestions are ready, and says in an image of one slice that it cannot', () => {
    const isEnabled = (slices: number, ready: boolean) =>
      findCommand('carry-object').enabled!({
        state: {
          takenTool: 'suggest',
          direction: 'xy',
          parts: { slices, suggestions: { ready } },
          connection: { state: { state: 'connected' } }
        }
      } as unknown as ILabellerView);
    expect([isEnabled(1, false), isEnabled(3, false), isEnabled(3, true)]).toEqual([true, false, true]);
  });

  it('reads AltGr with a key as the character that it writes', () => {
    const event = new KeyboardEvent('keydown', { key: '[', ctrlKey: true, altKey: true, modifierAltGraph: true });
    expect(commandOf(keystrokesOf(event))?.name).toBe('shrink-brush');
  });

  it('shows the keys of the user in titles, and its own for what JupyterLab does not have', () => {
    const undo = findCommand('undo');
    expect(titleWithKey(undo)).toBe('Undo (Ctrl+Z)');
    setUserKeys(
      new Map([
        ['undo', ['Alt U']],
        ['redo', ['Ctrl Shift Z']]
      ])
    );
    expect(titleWithKey(undo)).toBe('Undo (Alt+U)');
    expect(titleWithKey(findCommand('zoom-in'))).toBe('Zoom in');
    expect(keysOf(COMMANDS.find(command => !inJupyterLab(command))!)).not.toEqual([]);
    setUserKeys(null);
    expect(keystrokeText('PageUp')).toBe('Page Up');
  });

  it('reads the notation of JupyterLab whatever the order of modifiers', () => {
    expect(['Ctrl Z', 'Cmd Shift z', 'Shift Alt A', 'PageUp'].map(normalKeystroke)).toEqual([
      'Accel Z',
      'Accel Shift Z',
      'Alt Shift A',
      'PageUp'
    ]);
  });
});
