/** Pictures of the labellers on the page, for the notebooks that are saved. Loads none of the widget's code. */
import { DisposableDelegate, IDisposable } from '@lumino/disposable';

const sources = new Map<string, () => string | null>();

/** Offer the picture of a widget model: a PNG in base64, or null while there is none. Until disposed. */
export function offerPicture(modelId: string, draw: () => string | null): IDisposable {
  sources.set(modelId, draw);
  return new DisposableDelegate(() => {
    if (sources.get(modelId) === draw) {
      sources.delete(modelId);
    }
  });
}

/** The present picture of a widget model; null if the page does not show the model, or its image has not arrived. */
export function pictureOf(modelId: string): string | null {
  return sources.get(modelId)?.() ?? null;
}
