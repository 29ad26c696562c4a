/** Tokens as `requires` and `optional` take them. */
import { JupyterFrontEndPlugin } from '@jupyterlab/application';

/** The types that plugins name. */
type Tokens = NonNullable<JupyterFrontEndPlugin<void>['requires']>;

/**
 * A list of tokens for a plugin. The packages of JupyterLab may come with copies of Lumino of their own, whose tokens are
 * the same objects when the page runs and different types when it is compiled.
 */
export function tokens(...list: { readonly name: string }[]): Tokens {
  return list as unknown as Tokens;
}
