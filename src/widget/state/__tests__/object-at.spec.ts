/** The object at a pixel as a held suggestion. */
import { BridgeError, DEFAULT_MODEL } from '../../../shared';
import { IPrompts } from '../../../sam';
import { FakeLink } from '../../base/__tests__/fake-link';
import { holdObjectAt } from '../object-at';
import { Suggestions } from '../suggestions';

describe('holdObjectAt', () => {
  const box = { row0: 100, row1: 140, column0: 50, column1: 90 };
  const point = { row: 120, column: 61 };
  const found = { class: 3, of: 'segmentation', box, point, pixels: 900 };
  let asked: IPrompts[];
  let suggestions: Suggestions;

  beforeEach(() => {
    asked = [];
    suggestions = new Suggestions({ image: { rows: 512, columns: 512 } });
    suggestions.decoder = {
      manifest: DEFAULT_MODEL,
      suggest: prompts => (asked.push(prompts), new Promise(() => undefined))
    };
  });
  afterEach(() => suggestions.dispose());

  const at = { row: 110, column: 60 };
  const hold = (link: FakeLink, isCurrent = true) => holdObjectAt(link, 7, at, suggestions, () => isCurrent);

  it('gives SAM the box of the object and a pixel inside, and says its class', async () => {
    const requests: unknown[] = [];
    const link = new FakeLink(async (method, params) => (requests.push([method, params]), { result: found }));
    suggestions.add({ points: [{ row: 5, column: 5, label: 1 }] }); // an older one goes
    await expect(hold(link)).resolves.toBe(3);
    expect(requests).toEqual([['object.at', { session: link.session, slice: 7, ...at }]]);
    const prompts = { box, points: [{ ...point, label: 1 }] };
    expect(suggestions.held).toEqual(prompts);
    expect(asked[asked.length - 1]).toMatchObject(prompts);
  });

  it('holds nothing if another slice is shown by then, or there is no object', async () => {
    await expect(hold(new FakeLink(async () => ({ result: found })), false)).resolves.toBeNull();
    const none = new BridgeError('invalid', 'There is no label at the pixel (110, 60).');
    await expect(hold(new FakeLink(() => Promise.reject(none)))).rejects.toBe(none);
    expect(suggestions.held).toBeNull();
    expect(asked).toEqual([]);
  });
});
