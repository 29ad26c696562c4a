/** A switch of the toolbar: a row of buttons of which one is pressed. */
import { button, element, Icon } from '../base/dom';

export class ChoiceSwitch<T extends string> {
  constructor(options: {
    /** Prefix of the buttons' test ids. */
    testid: string;
    label: string;
    /** The text of a choice without an icon is shown in narrow toolbars too. */
    choices: readonly { value: T; text: string; title: string; icon?: Icon }[];
    choose(value: T): void;
  }) {
    this._buttons = new Map(
      options.choices.map(({ value, text, title, icon }) => {
        const node = button({
          testid: `${options.testid}-${value}`,
          title,
          ...(icon && { icon }),
          text,
          className: icon ? 'sambalab-toggle' : 'sambalab-toggle sambalab-toggle-text',
          run: () => options.choose(value)
        });
        node.setAttribute('aria-label', title); // the text is hidden where the toolbar is narrow
        return [value, node];
      })
    );
    this.node = element(
      'div',
      { class: 'sambalab-switch', role: 'group', 'aria-label': options.label, 'data-testid': options.testid },
      ...this._buttons.values()
    );
  }

  readonly node: HTMLElement;

  set(chosen: T): void {
    for (const [value, node] of this._buttons) {
      node.setAttribute('aria-pressed', String(value === chosen));
    }
  }

  private readonly _buttons: ReadonlyMap<T, HTMLButtonElement>;
}
