/** Suggestions of which SAM is not sure: low scores and masks that depend much on the threshold, which are ragged. */
import { ISettings } from '../base/settings';
import { Suggestion } from './suggestion';

/** Whether SAM is not sure of a suggestion, by the user's limits. */
export function isWeak(
  { score, stability }: Pick<Suggestion, 'score' | 'stability'>,
  { suggestionScore, suggestionStability }: Pick<ISettings, 'suggestionScore' | 'suggestionStability'>
): boolean {
  return score < suggestionScore || stability < suggestionStability;
}

/** Whether a suggestion is not shown, and not accepted: one that the user holds always is. */
export function isHidden(suggestion: Suggestion, held: boolean, settings: ISettings): boolean {
  return settings.weakSuggestions === 'hidden' && !held && isWeak(suggestion, settings);
}
