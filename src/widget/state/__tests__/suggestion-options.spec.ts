/** @jest-environment jsdom */
import '../../__tests__/page';
import { DEFAULT_SUGGESTION_OPTIONS, SuggestionOptions } from '../suggestion-options';

beforeEach(() => localStorage.clear());

it('remembers scale and shape for the next labeller, and tells of changes only', () => {
  const options = new SuggestionOptions();
  const seen: string[] = [];
  options.changed.connect(() => seen.push(options.values.scale));
  options.set({ scale: 'large' });
  options.set({ scale: 'large' });
  expect(seen).toEqual(['large']);
  expect(new SuggestionOptions().scale).toBe(2);
  options.set({ scale: 'auto', connected: true, grow: -2 });
  expect(new SuggestionOptions().scale).toBeUndefined();
  expect(new SuggestionOptions().values).toMatchObject({ connected: true, filled: false, grow: -2 });
});

it('ignores what it does not know in the browser’s memory', () => {
  localStorage.setItem(
    'sambalab:remembered',
    JSON.stringify([['suggestions', { scale: 'huge', grow: 1e9, filled: 'yes', other: 1 }]])
  );
  expect(new SuggestionOptions().values).toEqual(DEFAULT_SUGGESTION_OPTIONS);
});
