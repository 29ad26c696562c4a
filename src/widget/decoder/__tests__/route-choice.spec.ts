/** Which route decodes, by times that the test makes up. */
import { RouteName } from '../../state/suggestion-decoder';
import { RouteChoice } from '../route-choice';

describe('RouteChoice', () => {
  const both: RouteName[] = ['page', 'sidecar'];
  let now: number;
  let choice: RouteChoice;

  const took = (name: RouteName, ...times: number[]) => times.forEach(each => choice.took(name, each));
  const first = () => choice.order(both)[0];

  beforeEach(() => {
    now = 0;
    choice = new RouteChoice({ now: () => now });
  });

  it('begins with the page, and keeps it until the sidecar has answered a few times', () => {
    expect(choice.order(both)).toEqual(['page', 'sidecar']);
    took('page', 100, 100, 100);
    took('sidecar', 40, 40);
    expect(choice.report()).toEqual({
      serving: 'page',
      medians: { page: 100, sidecar: null, gpu: null },
      answers: { page: 3, sidecar: 2, gpu: 0 },
      problems: { page: null, sidecar: null, gpu: null }
    });
    took('sidecar', 44);
    expect(choice.order(both)).toEqual(['sidecar', 'page']);
    expect(choice.report()).toMatchObject({ serving: 'sidecar', medians: { page: 100, sidecar: 40 } });
  });

  it('changes only for a route that is 15 % faster, by the median of the last nine answers', () => {
    took('page', 100, 100, 100);
    took('sidecar', 86, 86, 86);
    expect(first()).toBe('page');
    took('sidecar', ...Array<number>(9).fill(84));
    expect(first()).toBe('sidecar');
    took('page', ...Array<number>(9).fill(72));
    expect(first()).toBe('sidecar'); // 72 is not 15 % less than 84
    took('page', ...Array<number>(9).fill(70));
    expect(first()).toBe('page');
    took('page', 5000, 5000, 5000, 5000); // four of nine
    expect(first()).toBe('page');
    took('page', 5000);
    expect(first()).toBe('sidecar');
  });

  it('tries both in turn at first, then the other one at each twentieth point', () => {
    const asked: RouteName[] = [];
    for (let i = 0; i < 48; i++) {
      const name = choice.ahead(both)!;
      asked.push(name);
      took(name, 100);
    }
    expect(asked.slice(0, 6)).toEqual(['page', 'sidecar', 'page', 'sidecar', 'page', 'sidecar']);
    expect(asked.slice(6).flatMap((name, i) => (name === 'sidecar' ? [i] : []))).toEqual([20, 41]);
  });

  it('tries the other one in a row while the serving one is too slow for points ahead, nine times until it answers again', () => {
    took('page', ...Array<number>(9).fill(100)); // as slow as it was when it began
    took('sidecar', ...Array<number>(9).fill(80));
    expect(first()).toBe('sidecar');
    took('sidecar', 140);
    const trials = () =>
      Array.from({ length: 15 }, () => choice.ahead(both, true)).filter(name => name === 'page').length;
    expect(trials()).toBe(9);
    took('sidecar', 140);
    expect(trials()).toBe(9);
    expect(choice.ahead(both)).toBe('sidecar');
    took('page', ...Array<number>(5).fill(30));
    expect(first()).toBe('page');
  });

  it('tries the other one at once where the page has its times and nothing is decoded ahead, and again after half a minute', () => {
    took('page', 300, 300, 300);
    for (let i = 0; i < 3; i++) {
      expect(choice.ahead(both)).toBe('sidecar');
      took('sidecar', 290);
    }
    expect(choice.ahead(both)).toBe('page');
    now += 30_000;
    expect(choice.ahead(both)).toBe('sidecar');
    expect(choice.ahead(['page'])).toBe('page');
    expect(choice.ahead([])).toBeUndefined();
  });

  it('leaves a route out that failed, longer each time, and forgets its times', () => {
    took('page', 100, 100, 100);
    took('sidecar', 40, 40, 40);
    choice.failed('sidecar', 'it is gone');
    expect(choice.order(both)).toEqual(['page']);
    expect(choice.report()).toEqual({
      serving: 'page',
      medians: { page: 100, sidecar: null, gpu: null },
      answers: { page: 3, sidecar: 3, gpu: 0 },
      problems: { page: null, sidecar: 'it is gone', gpu: null }
    });
    now += 5_000;
    expect(choice.order(both)).toEqual(['page', 'sidecar']);
    choice.failed('sidecar', 'it is gone');
    now += 5_000;
    expect(choice.order(both)).toEqual(['page']);
    now += 5_000;
    took('sidecar', 40, 40, 40);
    expect(choice.order(both)).toEqual(['sidecar', 'page']);
    expect(choice.order(['page'])).toEqual(['page']);
  });

  it('asks a route that is left out if there is no other', () => {
    choice.failed('page', 'its worker died');
    expect(choice.order(['page'])).toEqual(['page']);
    expect(choice.order(both)).toEqual(['sidecar']);
  });

  it('waits three times the median for an answer, at most two seconds', () => {
    expect(choice.limit('sidecar')).toBe(2000);
    took('sidecar', 150, 150, 150);
    expect(choice.limit('sidecar')).toBe(450);
    took('sidecar', ...Array<number>(9).fill(20));
    expect(choice.limit('sidecar')).toBe(300);
    took('sidecar', ...Array<number>(9).fill(1500));
    expect(choice.limit('sidecar')).toBe(2000);
  });

  it('tries two others in turn, serves from the soonest of all, and falls back to the next one', () => {
    const all: RouteName[] = ['page', 'sidecar', 'gpu'];
    const times = { page: 50, sidecar: 90, gpu: 10 };
    const asked = Array.from({ length: 12 }, () => {
      now += 50;
      const name = choice.ahead(all)!;
      took(name, times[name]);
      return name;
    });
    expect(new Set(asked.slice(0, 5))).toEqual(new Set(all));
    expect(choice.report()).toMatchObject({ serving: 'gpu', medians: times });
    expect(choice.order(all)).toEqual(['gpu', 'page', 'sidecar']);
    // Each of the others is still tried now and then.
    const later = Array.from({ length: 90 }, () => {
      now += 50;
      const name = choice.ahead(all)!;
      took(name, times[name]);
      return name;
    });
    expect(later.filter(name => name === 'page').length).toBeGreaterThan(1);
    expect(later.filter(name => name === 'sidecar').length).toBeGreaterThan(1);
    expect(later.filter(name => name === 'gpu').length).toBeGreaterThan(80);
    choice.failed('gpu', 'the device is lost');
    expect(choice.order(all)).toEqual(['page', 'sidecar']);
  });

  it('tells of a route that can be asked, and asks one with times before one without', () => {
    took('gpu', 30, 30, 30);
    choice.failed('page', 'its worker died');
    expect(choice.report(['page', 'gpu']).serving).toBe('gpu');
    expect(choice.order(['page', 'sidecar', 'gpu'])).toEqual(['gpu', 'sidecar']);
    expect(choice.report(['page']).serving).toBe('page');
  });

  it('goes back to the route that begins when that works again and no other one has times', () => {
    choice.failed('page', 'it was late');
    now += 5_000;
    took('page', 40, 40, 40);
    expect(choice.report(both).serving).toBe('page');
    expect(choice.order(both)).toEqual(['page', 'sidecar']);
  });

  it('keeps to a route that is forced, and to the other one while that fails', () => {
    choice = new RouteChoice({ forced: 'sidecar', now: () => now });
    took('sidecar', 500, 500, 500);
    took('page', 10, 10, 10);
    expect(choice.order(both)).toEqual(['sidecar', 'page']);
    expect(choice.ahead(both)).toBe('sidecar');
    choice.failed('sidecar', 'it is gone');
    expect(choice.order(both)).toEqual(['page']);
    now += 5_000;
    expect(choice.order(both)).toEqual(['sidecar', 'page']);
  });
});
