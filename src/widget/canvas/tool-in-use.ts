/** The tool in use in one view, and the one that is pressed: it stays the same until its release, whatever the user takes meanwhile. */
import { trans } from '../base/translation';
import { currentTool, ERASER_END, findTool, ITool, IToolEvent, IToolHandler, IToolHost, TOOLS } from './tools';

/** Picks the tool that handles the pointer. */
export class ToolInUse {
  constructor(private readonly _host: IToolHost) {
    this._handlers = new Map(TOOLS.map(tool => [tool, tool.create(_host)]));
    this._tool = currentTool(_host.state);
    this._checkSettings();
  }

  /** The handler of pointer and keys: of the tool that is pressed, else of the tool in use. */
  get handler(): IToolHandler {
    return this._pressed?.handler ?? this._handlers.get(this._tool)!;
  }

  /** CSS cursor over the image. */
  get cursor(): string {
    return (this._pressed?.tool ?? this._tool).cursor;
  }

  /** Whether dragging moves the image. */
  get pans(): boolean {
    return this._tool.pans ?? false;
  }

  /** The user, the settings or a tool that became ready may have changed the tool in use. */
  follow(): void {
    const tool = currentTool(this._host.state);
    if (this._tool !== tool) {
      const handler = this._handlers.get(this._tool)!;
      handler.leave?.();
      handler.putAway?.();
      this._tool = tool;
    }
    this._checkSettings();
  }

  /** Press the tool in use, or the eraser of a pen. {@link release} or {@link abort} follows. */
  press(event: IToolEvent, purpose: 'draw' | 'erase'): void {
    const { state } = this._host;
    const tool = purpose === 'erase' ? ERASER_END : this._tool;
    const handler = this._handlers.get(tool)!;
    if (tool !== this._tool) {
      this.handler.leave?.();
    }
    const { takenTool: before } = state;
    // In another direction the tool that was taken may not be usable; the user draws with the one in its place.
    const takes = purpose === 'draw' && (before === null || !!findTool(before)?.unusable?.(state));
    this._pressed = { tool, handler, ...(takes && { before }) };
    if (takes) {
      state.keepTool(tool.name);
    }
    handler.press(event);
  }

  /** The pointer was lifted. Returns whether it is nowhere now, as a finger is. */
  release(event: IToolEvent): boolean {
    const { handler } = this;
    this._pressed?.handler.release?.(event);
    const erased = this._pressed?.tool !== this._tool; // a pen that erased shows the tool in use next
    const left = event.kind === 'touch' || erased;
    if (left) {
      handler.leave?.();
    }
    this._pressed = null;
    return left;
  }

  /** The press does not count. */
  abort(): void {
    const pressed = this._pressed;
    pressed?.handler.abort?.();
    this._pressed = null;
    if (pressed?.before !== undefined) {
      this._host.state.unkeepTool(pressed.before);
    }
  }

  /** Tell the user, once, if the settings name a tool that does not exist. */
  private _checkSettings(): void {
    const { state } = this._host;
    const { tool } = state.settings.values;
    if (tool !== this._checked) {
      this._checked = tool;
      if (!findTool(tool)) {
        const names = TOOLS.map(({ name }) => name).join(', ');
        state.note(trans.__('The settings name the tool “%1”; the tools are %2.', tool, names));
      }
    }
  }

  private readonly _handlers: ReadonlyMap<ITool, IToolHandler>;
  private _tool: ITool;
  /** `before`: the tool that was taken before, if the state keeps this one only because it was pressed. */
  private _pressed: { tool: ITool; handler: IToolHandler; before?: string | null } | null = null;
  /** The settings' tool that {@link _checkSettings} has checked. */
  private _checked: string | null = null;
}
