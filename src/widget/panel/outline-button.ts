/** A button that switches an overlay between filled areas and outlines. */
import { button } from '../base/dom';
import { trans } from '../base/translation';

/** The button; `name` is the overlay's, as a user reads it. */
export function outlineButton(options: { testid: string; name: string; run(outlined: boolean): void }): {
  node: HTMLButtonElement;
  set(outlined: boolean): void;
} {
  let outlined = false;
  const node = button({
    testid: options.testid,
    title: trans.__('%1 as outlines', options.name),
    icon: { svg: '<circle cx="8" cy="8" r="5"/>' },
    run: () => options.run(!outlined)
  });
  return {
    node,
    set(now) {
      outlined = now;
      node.setAttribute('aria-pressed', String(now));
    }
  };
}
