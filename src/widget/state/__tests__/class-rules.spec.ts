/** What tools may change while classes are locked, compared with the rule pixel by pixel. */
import { replaceTable } from '../../../shared';
import { mayChange, moved } from '../class-rules';

const classes = [3, 1, 2].map(id => ({ id, name: `class ${id}`, color: '#e69f00' }));

it('lets no tool change the labels of a locked class, and no other label more or less than without locks', () => {
  for (const locked of [[], [1], [2], [1, 3], [1, 2, 3]]) {
    for (const classId of [0, 1, 2, 3]) {
      for (const overlap of ['keep', 'over', 'same'] as const) {
        for (const erases of ['all', 'current'] as const) {
          for (const label of [0, 1, 2, 3]) {
            for (const current of classId === 0 ? [1, 2, 3] : [classId]) {
              const drawing = { classId, current, label, overlap, erases };
              const may = mayChange(drawing, classes, { locked, hidden: [] });
              const free = mayChange(drawing, classes, { locked: [], hidden: [] });
              const table = (one: typeof may) =>
                [...replaceTable(one !== 'all' && 'locked' in one ? [] : one)].slice(0, 4);
              const isHeld = classId !== 0 && locked.includes(classId);
              expect(table(may)).toEqual(table(free).map((yes, id) => (isHeld || locked.includes(id) ? 0 : yes)));
            }
          }
        }
      }
    }
  }
});

it('moves a class by one place and not beyond the ends', () => {
  const ids = (id: number, by: 1 | -1) => moved({ classes }, id, by)?.classes.map(item => item.id);
  expect([ids(1, -1), ids(1, 1), ids(3, -1), ids(2, 1), ids(9, 1)]).toEqual([
    [1, 3, 2],
    [3, 2, 1],
    undefined,
    undefined,
    undefined
  ]);
});
