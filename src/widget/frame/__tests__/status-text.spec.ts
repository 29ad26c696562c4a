import { IDecoderRoutes } from '../../state/suggestion-decoder';
import { routeLines } from '../status-text';

describe('the status tooltip', () => {
  const routes: IDecoderRoutes = {
    serving: 'page',
    medians: { page: null, sidecar: null, gpu: null },
    answers: { page: 0, sidecar: 0, gpu: 0 },
    problems: { page: null, sidecar: null, gpu: null }
  };

  it('tells where suggestions are decoded, and how long that takes', () => {
    expect(routeLines(routes)).toEqual(['Suggestions are decoded in this page']);
    expect(routeLines({ ...routes, medians: { page: 98.4, sidecar: null, gpu: null } })).toEqual([
      'Suggestions are decoded in this page (98 ms)'
    ]);
    expect(routeLines({ ...routes, serving: 'sidecar', medians: { page: 98.4, sidecar: 41, gpu: null } })).toEqual([
      'Suggestions are decoded in the sidecar (41 ms; in this page: 98 ms)'
    ]);
    expect(routeLines({ ...routes, serving: 'gpu', medians: { page: 98.4, sidecar: 41, gpu: 12 } })).toEqual([
      "Suggestions are decoded on the browser's GPU (12 ms; in this page: 98 ms; in the sidecar: 41 ms)"
    ]);
  });

  it('tells why a route is left out', () => {
    const problems = { page: null, sidecar: 'The sidecar gave no answer in 300 ms.', gpu: null };
    expect(routeLines({ ...routes, problems, medians: { page: 98.4, sidecar: null, gpu: null } })).toEqual([
      'Suggestions are decoded in this page (98 ms)',
      'Not in the sidecar: The sidecar gave no answer in 300 ms.'
    ]);
  });
});
