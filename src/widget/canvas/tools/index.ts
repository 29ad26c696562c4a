/** The tools. A tool changes labels and suggestions through the state; it knows no DOM but the context it draws on. */
import { ToolName } from '../../base/settings';
import { BrushTool } from './brush';
import { SuggestTool } from './suggest';
import { ITool, IToolHost } from './tool';

export * from './tool';

/** The tools of one view. */
export function createTools(host: IToolHost): Record<ToolName, ITool> {
  return { suggest: new SuggestTool(host), brush: new BrushTool(host, false), eraser: new BrushTool(host, true) };
}
