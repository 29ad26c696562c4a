/** @jest-environment jsdom */
import { SuggestionOptions } from '../suggestion-options';

beforeEach(() => localStorage.clear());

it('remembers the scale for the next labeller, and tells of changes only', () => {
  const options = new SuggestionOptions();
  const seen: string[] = [];
  options.changed.connect(() => seen.push(options.values.scale));
  options.set({ scale: 'large' });
  options.set({ scale: 'large' });
  expect(seen).toEqual(['large']);
  expect(new SuggestionOptions().scale).toBe(2);
  options.set({ scale: 'auto' });
  expect(new SuggestionOptions().scale).toBeUndefined();
});

it('ignores what it does not know in the browser’s memory', () => {
  localStorage.setItem('sambalab:remembered', JSON.stringify([['suggestions', { scale: 'huge', other: 1 }]]));
  expect(new SuggestionOptions().values).toEqual({ scale: 'auto' });
});
