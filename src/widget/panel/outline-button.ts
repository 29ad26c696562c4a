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
    icon: {
      svg: '<path d="M3.200 6.500c0-2.500 2-4 4.600-4 3 0 5 2 5 5.300 0 3.400-2.100 5.700-4.700 5.700-2 0-2.200-1.700-3.300-2.700-.9-.8-1.600-2.300-1.600-4.300z" stroke-dasharray="none"/>'
    },
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
