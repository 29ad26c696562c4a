/**
 * Translates the widget's texts. The widget does not depend on JupyterLab: the extension sets JupyterLab's translator, and
 * pages without it show English.
 */

/** The part of JupyterLab's translation bundle that the widget uses. `%1`, `%2` in a message stand for the arguments. */
export interface ITranslate {
  __(message: string, ...args: unknown[]): string;
}

const english: ITranslate = {
  __: (message, ...args) => message.replace(/%(\d)/g, (_, index: string) => String(args[Number(index) - 1] ?? ''))
};

let bundle: ITranslate = english;

/** Set the translation; null for English. */
export function setTranslation(translation: ITranslate | null): void {
  bundle = translation ?? english;
}

/** Translates a message at each call, so that a translation that is set later counts too. */
export const trans: ITranslate = { __: (message, ...args) => bundle.__(message, ...args) };
