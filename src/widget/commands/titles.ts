/** Titles and buttons of commands: what they say and the key they name come from the list of commands. */
import { button, Icon } from '../base/dom';
import { findCommand, keysOf } from '.';
import { ICommand, ILabellerView } from './command';
import { ariaKeystroke, keystrokeText } from './keystroke';

/** A text with the command's key in brackets. */
export function titleWithKey(command: ICommand, text = command.description?.() ?? command.label()): string {
  const [key] = keysOf(command);
  return key === undefined ? text : `${text} (${keystrokeText(key)})`;
}

/** Say on a control that a command's key does the same. */
export function nameKeys(node: HTMLElement, command: ICommand): void {
  const keys = keysOf(command);
  if (keys.length > 0) {
    node.setAttribute('aria-keyshortcuts', keys.map(ariaKeystroke).join(' '));
  }
}

/** A button that runs a command. */
export function commandButton(
  name: string,
  view: ILabellerView,
  options: { testid: string; icon: Icon; text?: string; className?: string }
): HTMLButtonElement {
  const command = findCommand(name);
  const node = button({ ...options, title: titleWithKey(command), run: () => command.run(view) });
  nameKeys(node, command);
  return node;
}
