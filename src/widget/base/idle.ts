/** Waits for an idle moment of the page. */

/** A page that is busy all the time is idle after this, in milliseconds. */
const AT_LEAST_MS = 100;

/** Resolves when the page has nothing else to do; where the browser does not tell, after what waits already. */
export function idle(): Promise<void> {
  return new Promise(resolve => {
    if (typeof requestIdleCallback === 'function') {
      requestIdleCallback(() => resolve(), { timeout: AT_LEAST_MS });
    } else {
      setTimeout(resolve);
    }
  });
}
