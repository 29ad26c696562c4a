import { IDecoderRoutes } from '../../state/suggestion-decoder';
import { routeLines } from '../status-text';

describe('the status tooltip', () => {
  const routes: IDecoderRoutes = {
    serving: 'page',
    medians: { page: null, sidecar: null },
    answers: { page: 0, sidecar: 0 },
    problems: { page: null, sidecar: null }
  };

  it('tells where suggestions are decoded, and how long that takes', () => {
    expect(routeLines(routes)).toEqual(['Suggestions are decoded in this page']);
    expect(routeLines({ ...routes, medians: { page: 98.4, sidecar: null } })).toEqual([
      'Suggestions are decoded in this page (98 ms)'
    ]);
    expect(routeLines({ ...routes, serving: 'sidecar', medians: { page: 98.4, sidecar: 41 } })).toEqual([
      'Suggestions are decoded in the sidecar (41 ms; in this page: 98 ms)'
    ]);
  });

  it('tells why a route is left out', () => {
    const problems = { page: null, sidecar: 'The sidecar gave no answer in 300 ms.' };
    expect(routeLines({ ...routes, problems, medians: { page: 98.4, sidecar: null } })).toEqual([
      'Suggestions are decoded in this page (98 ms)',
      'Not in the sidecar: The sidecar gave no answer in 300 ms.'
    ]);
  });
});
