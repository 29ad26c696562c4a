/**
 * All commands of a labeller. A new command is one entry of {@link COMMANDS}: its keys, the title of its button, its row in the
 * list of keys (`?`), JupyterLab's command and its keyboard shortcut are made from the entry.
 *
 * A key may stand in one entry only. The keys of tools are in the tools' files.
 */
import { currentTool, ITool, TOOLS } from '../canvas/tools';
import { suggest } from '../canvas/tools/suggest';
import { nextBrushSize, nextShown } from '../base/settings';
import { trans } from '../base/translation';
import { userKeys } from '../base/user-keys';
import { LabellerState } from '../state/labeller-state';
import { ICommand } from './command';
import { normalKeystroke } from './keystroke';
import { FILE_COMMANDS } from './files';
import { goToNextRegion } from './next-region';
import { REGION_COMMANDS } from './region';
import { STACK_COMMANDS } from './stack';
import { SUGGESTION_COMMANDS } from './suggestion';

export * from './command';
export * from './keystroke';

function size({ settings }: LabellerState, direction: 1 | -1, large: boolean): void {
  settings.set({ brushSize: nextBrushSize(settings.values.brushSize, direction, large) });
}

function connected(state: LabellerState): boolean {
  return !!state.session?.imageReady && state.connection.state.state === 'connected';
}

function ofTool(tool: ITool): ICommand {
  return {
    name: `take-${tool.name}`,
    group: 'tools',
    keys: [tool.key.toUpperCase()],
    label: () => tool.title,
    description: () => tool.description,
    enabled: ({ state }) => !tool.unusable?.(state),
    unusable: state => tool.unusable?.(state) ?? null,
    run: ({ state }) => state.setTool(tool.name)
  };
}

function ofClass(number: number): ICommand {
  const item = (state: LabellerState) => state.session?.classes[number - 1];
  return {
    name: `choose-class-${number}`,
    group: 'classes',
    keys: [String(number)],
    label: () => trans.__('Draw class %1', number),
    row: () => trans.__('Draw this class of the list'),
    enabled: ({ state }) => item(state) !== undefined,
    run: ({ state }) => state.setClass(item(state)!.id)
  };
}

function arrow(name: string, key: string, right: number, down: number): ICommand[] {
  const row = () => trans.__('Move the image, or the cross-hair');
  const farRow = () => trans.__('Move it farther');
  const base = { group: 'keyboard', repeats: true, onImage: true } as const;
  return [
    {
      ...base,
      name: `move-${name}`,
      keys: [key],
      label: row,
      row,
      run: ({ canvas }) => canvas.cursor.move(right, down, false)
    },
    {
      ...base,
      name: `move-far-${name}`,
      keys: [`Shift ${key}`],
      label: farRow,
      row: farRow,
      run: ({ canvas }) => canvas.cursor.move(right, down, true)
    }
  ];
}

/** All commands, in the order of the list of keys. */
export const COMMANDS: readonly ICommand[] = [
  ...TOOLS.map(ofTool),
  ...SUGGESTION_COMMANDS,
  {
    name: 'shrink-brush',
    group: 'drawing',
    keys: ['['],
    repeats: true,
    label: () => trans.__('Smaller brush'),
    run: ({ state }) => size(state, -1, false)
  },
  {
    name: 'enlarge-brush',
    group: 'drawing',
    keys: [']'],
    repeats: true,
    label: () => trans.__('Larger brush'),
    run: ({ state }) => size(state, 1, false)
  },
  {
    name: 'shrink-brush-much',
    group: 'drawing',
    keys: ['{'],
    label: () => trans.__('Much smaller brush'),
    run: ({ state }) => size(state, -1, true)
  },
  {
    name: 'enlarge-brush-much',
    group: 'drawing',
    keys: ['}'],
    label: () => trans.__('Much larger brush'),
    run: ({ state }) => size(state, 1, true)
  },
  {
    name: 'finish',
    group: 'drawing',
    keys: ['Enter'],
    onImage: true,
    label: () => trans.__('Accept the suggestion; close the polygon'),
    run: ({ canvas }) => canvas.cursor.finish()
  },
  {
    name: 'remove-last-point',
    group: 'drawing',
    keys: ['Backspace'],
    repeats: true,
    onImage: true,
    label: () => trans.__('Take the last vertex, or the last prompt of the suggestion, back'),
    enabled: ({ canvas }) => canvas.handler.removeLast !== undefined,
    run: ({ canvas }) => canvas.handler.removeLast?.()
  },
  {
    name: 'cancel',
    group: 'drawing',
    keys: ['Escape'],
    onImage: true,
    label: () => trans.__('Reject the suggestion; drop the polygon; leave the whole window'),
    run: view => {
      const { parts, carrying } = view.state;
      const begun = Boolean(parts?.suggestions.held) || (parts?.similar.count ?? 0) > 0;
      const dropped = view.canvas.handler.cancel?.() ?? false;
      // A suggestion that only follows the pointer is dropped beside it.
      const isHovering = currentTool(view.state) === suggest && !begun;
      const stopped = (!dropped || isHovering) && carrying.cancel();
      parts?.guide.dismiss();
      if (!dropped && !stopped && view.isFullWindow()) {
        view.toggleFullWindow();
      }
    }
  },
  {
    name: 'undo',
    group: 'changes',
    keys: ['Accel Z'],
    repeats: true,
    label: () => trans.__('Undo'),
    run: ({ state, canvas }) => canvas.handler.undo?.() || void state.move('undo')
  },
  {
    name: 'redo',
    group: 'changes',
    keys: ['Accel Shift Z', 'Accel Y'],
    repeats: true,
    label: () => trans.__('Make again'),
    run: ({ state }) => void state.move('redo')
  },
  {
    name: 'draw-on-correction',
    group: 'drawing',
    keys: ['Q'],
    label: () => trans.__('Correct the segmentation, or draw labels again'),
    enabled: ({ state }) => Boolean(state.session?.segmentation),
    run: ({ state }) => (state.corrects = !state.corrects)
  },
  ...Array.from({ length: 9 }, (_, i) => ofClass(i + 1)),
  {
    name: 'zoom-in',
    group: 'view',
    keys: ['+', '='],
    repeats: true,
    label: () => trans.__('Zoom in'),
    run: ({ canvas }) => canvas.navigation.zoom(1.5)
  },
  {
    name: 'zoom-out',
    group: 'view',
    keys: ['-'],
    repeats: true,
    label: () => trans.__('Zoom out'),
    run: ({ canvas }) => canvas.navigation.zoom(1 / 1.5)
  },
  {
    name: 'show-whole-image',
    group: 'view',
    keys: ['0'],
    label: () => trans.__('Show the whole image'),
    run: ({ canvas }) => canvas.navigation.showAll()
  },
  {
    name: 'toggle-cross-hair',
    group: 'keyboard',
    keys: ['K'],
    label: () => trans.__('Cross-hair for the keyboard, on or off'),
    run: ({ canvas }) => canvas.cursor.toggle()
  },
  ...arrow('left', 'ArrowLeft', -1, 0),
  ...arrow('right', 'ArrowRight', 1, 0),
  ...arrow('up', 'ArrowUp', 0, -1),
  ...arrow('down', 'ArrowDown', 0, 1),
  {
    name: 'press',
    group: 'keyboard',
    keys: ['Space'],
    onImage: true,
    label: () => trans.__('Press the tool at the cross-hair; without it, hold and drag to move the image'),
    run: ({ canvas }) => {
      if (canvas.cursor.at) {
        canvas.cursor.press();
      } else {
        canvas.panning = true;
      }
    },
    release: ({ canvas }) => {
      canvas.cursor.release();
      canvas.panning = false;
    }
  },
  {
    name: 'hide-overlays',
    group: 'view',
    keys: ['H'],
    label: () => trans.__('Hold to see the image alone'),
    run: ({ canvas }) => (canvas.hideOverlays = true),
    release: ({ canvas }) => (canvas.hideOverlays = false)
  },
  {
    name: 'show-other-overlays',
    group: 'view',
    keys: ['V'],
    label: () => trans.__('Labels, segmentation, or both'),
    run: ({ state: { settings } }) => settings.set({ shown: nextShown(settings.values.shown) })
  },
  ...STACK_COMMANDS,
  ...FILE_COMMANDS,
  ...REGION_COMMANDS,
  {
    name: 'show-keys',
    group: 'view',
    keys: ['?'],
    label: () => trans.__('Show all keys'),
    run: view => view.toggleHelp()
  },
  {
    name: 'compare-segmentations',
    group: 'view',
    keys: ['C'],
    label: () => trans.__('Compare with the segmentation before the last training'),
    enabled: ({ state }) => (state.parts?.segmentation.version ?? 0) > 0,
    run: ({ state }) => state.parts?.comparison.toggle()
  },
  {
    name: 'show-segmentation-before',
    group: 'view',
    keys: ['X'],
    label: () => trans.__('Hold to see the segmentation before the last training'),
    run: ({ state }) => {
      if (state.parts) {
        state.parts.comparison.before = true;
      }
    },
    release: ({ state }) => {
      if (state.parts) {
        state.parts.comparison.before = false;
      }
    }
  },
  {
    name: 'toggle-full-window',
    group: 'view',
    keys: ['W'],
    label: () => trans.__('Whole window, or back to the cell'),
    run: view => view.toggleFullWindow()
  },
  {
    name: 'toggle-map',
    group: 'view',
    keys: ['O'],
    label: () => trans.__('Map of the whole image, on or off'),
    run: ({ state: { settings } }) => settings.set({ minimap: !settings.values.minimap })
  },
  {
    name: 'train',
    group: 'training',
    keys: ['T'],
    label: () => trans.__('Train'),
    description: () => trans.__('Learn from the labels and segment the image'),
    enabled: ({ state }) => connected(state) && state.training.state.state !== 'running',
    run: ({ state }) => void state.train()
  },
  {
    name: 'toggle-live',
    group: 'training',
    keys: ['L'],
    label: () => trans.__('Live segmentation on or off'),
    description: () => trans.__('Learn and segment again after each stroke, starting with the tiles in view'),
    enabled: ({ state }) => connected(state),
    run: ({ state }) => void state.setLive(!state.live.on)
  },
  {
    name: 'go-to-next-region',
    group: 'training',
    keys: ['N'],
    label: () => trans.__('Go to where labels help most'),
    description: () => trans.__('Go to where labels help most; press again for the next such region'),
    run: ({ state, canvas }) => void goToNextRegion(state, canvas)
  }
];

/** The command of this name. Throws if there is none. */
export function findCommand(name: string): ICommand {
  const found = COMMANDS.find(command => command.name === name);
  if (!found) {
    throw new Error(`There is no command “${name}”; the commands are ${COMMANDS.map(each => each.name).join(', ')}.`);
  }
  return found;
}

/** Whether JupyterLab has the command: not if it lasts while a key is held down, or needs the focus on the image. */
export function inJupyterLab({ release, onImage }: ICommand): boolean {
  return !release && !onImage;
}

/** The keystrokes of a command: those that the user chose in JupyterLab, else its own. */
export function keysOf(command: ICommand): readonly string[] {
  return (inJupyterLab(command) ? userKeys(command.name)?.map(normalKeystroke) : undefined) ?? command.keys;
}

/** The command of the first of these keystrokes that has one. */
export function commandOf(keystrokes: readonly string[]): ICommand | undefined {
  for (const keystroke of keystrokes) {
    const found = COMMANDS.find(command => keysOf(command).includes(keystroke));
    if (found) {
      return found;
    }
  }
  return undefined;
}

/** A keyboard shortcut as JupyterLab's schemas declare it. */
export interface IShortcut {
  command: string;
  keys: [string];
  selector: string;
}

/** The default shortcuts for `schema/widget.json`. The labeller itself runs them; JupyterLab lists them and lets users change them. */
export function shortcuts(): IShortcut[] {
  return COMMANDS.filter(inJupyterLab).flatMap(({ name, keys }) =>
    keys.map((key): IShortcut => ({ command: `sambalab:${name}`, keys: [key], selector: '.sambalab' }))
  );
}
