/**
 * The tools. Each file says everything about its tool (name, key, title, icon, cursor, settings) and handles pointer and keys;
 * a new tool is a new file and one line in {@link TOOLS}. The toolbar, the keys, the canvas and the settings ask this list.
 *
 * - `tool.ts`: the contract, {@link ITool} and {@link IToolHandler}
 * - `contour.ts`: draws and fills contours, for several tools; `following.ts`: the base of tools that act where the pointer is lifted
 * - every other file: a tool
 *
 * A tool changes labels and suggestions through the state and draws on the context that it is given: it touches no DOM.
 */
import { LabellerState } from '../../state/labeller-state';
import { brush } from './brush';
import { eraser } from './eraser';
import { flood } from './flood';
import { lasso } from './lasso';
import { pan } from './pan';
import { pick } from './pick';
import { polygon } from './polygon';
import { region } from './region';
import { suggest } from './suggest';
import { ITool } from './tool';

export * from './tool';

/** All tools, in the toolbar's order. The first is the default. */
export const TOOLS: readonly [ITool, ...ITool[]] = [suggest, brush, eraser, polygon, lasso, flood, pick, pan, region];

/** The tool of a pen's eraser end. */
export const ERASER_END: ITool = eraser;

/** The tool of this name. */
export function findTool(name: string | null): ITool | undefined {
  return TOOLS.find(tool => tool.name === name);
}

/**
 * The tool in use: the one that the user took or pressed the pointer with, unless it cannot be used on these slices; before that the one of the settings, or the first
 * that is ready while that one is not. A name that no tool has stands for the default.
 */
export function currentTool(state: LabellerState): ITool {
  const taken = findTool(state.takenTool);
  if (taken && !taken.unusable?.(state)) {
    return taken;
  }
  const ready = (tool: ITool) => tool.ready?.(state) ?? true;
  const wanted = findTool(state.settings.values.tool) ?? TOOLS[0];
  return ready(wanted) ? wanted : (TOOLS.find(ready) ?? wanted);
}
