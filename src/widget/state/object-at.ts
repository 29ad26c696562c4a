/** An object of the segmentation, or of the labels, as the prompts of a suggestion that is held. */
import { ISessionLink } from '../base/session-link';
import { IPixel } from './suggestion';
import { Suggestions } from './suggestions';

/**
 * Hold a suggestion for the object at a pixel: SAM gets its box and the pixel deepest inside.
 *
 * @param isCurrent whether the slice is still shown when the sidecar has answered
 * @returns the class of the object; null if nothing is held
 * @throws BridgeError `invalid` if there is no object at the pixel, or too large a one
 */
export async function holdObjectAt(
  link: ISessionLink,
  slice: number,
  { row, column }: IPixel,
  suggestions: Suggestions,
  isCurrent: () => boolean
): Promise<number | null> {
  const { result } = await link.request('object.at', { session: link.session, slice, row, column });
  if (!isCurrent()) {
    return null;
  }
  suggestions.reject();
  const { box, point } = result;
  return suggestions.add({ box }) && suggestions.add({ points: [{ ...point, label: 1 }] }) ? result.class : null;
}
