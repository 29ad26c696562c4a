/** A bar that fills with the progress of long work. */
import { element } from '../base/dom';

/** Make a progress bar. While the fraction is unknown, its fill moves to and fro; `set(null)` hides the bar. */
export function progressBar(
  testid: string,
  label: string
): { node: HTMLElement; set(progress: { fraction: number | null } | null): void } {
  const fill = element('div', {});
  const node = element(
    'div',
    {
      class: 'sambalab-progress',
      role: 'progressbar',
      'aria-label': label,
      'aria-valuemin': '0',
      'aria-valuemax': '100',
      'data-testid': testid
    },
    fill
  );
  return {
    node,
    set(progress) {
      node.hidden = progress === null;
      if (!progress) {
        return;
      }
      const percent = progress.fraction === null ? null : Math.round(progress.fraction * 100);
      node.classList.toggle('sambalab-indeterminate', percent === null);
      if (percent === null) {
        node.removeAttribute('aria-valuenow');
      } else {
        node.setAttribute('aria-valuenow', String(percent));
      }
      fill.style.width = percent === null ? '' : `${percent}%`;
    }
  };
}
