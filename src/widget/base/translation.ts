/**
 * The widget's words. The core does not depend on JupyterLab; its extension puts JupyterLab's translator in, other
 * pages see English.
 */

/** The part of JupyterLab's translation bundle that is used: `%1`, `%2` in a message stand for the arguments. */
export interface ITranslate {
  __(message: string, ...args: unknown[]): string;
}

const english: ITranslate = {
  __: (message, ...args) => message.replace(/%(\d)/g, (_, index: string) => String(args[Number(index) - 1] ?? ''))
};

let bundle: ITranslate = english;

/** Use another language from now on, or English again. */
export function setTranslation(translation: ITranslate | null): void {
  bundle = translation ?? english;
}

/** Looks each message up when it is shown. */
export const trans: ITranslate = { __: (message, ...args) => bundle.__(message, ...args) };
