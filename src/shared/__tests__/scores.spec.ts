import { confusedClasses, scoreTable } from '../scores';

describe('scoreTable', () => {
  it('computes recall, precision and IoU of each class', () => {
    const { accuracy, meanIou, classes } = scoreTable([
      [6, 2, 0],
      [1, 9, 0],
      [0, 3, 3]
    ]);
    expect(accuracy).toBeCloseTo(18 / 24, 12);
    expect(classes.map(({ recall }) => recall)).toEqual([6 / 8, 9 / 10, 3 / 6]);
    expect(classes.map(({ precision }) => precision)).toEqual([6 / 7, 9 / 14, 1]);
    expect(classes.map(({ iou }) => iou)).toEqual([6 / 9, 9 / 15, 3 / 6]);
    expect(classes.map(({ labelled }) => labelled)).toEqual([8, 10, 6]);
    expect(meanIou).toBeCloseTo((6 / 9 + 9 / 15 + 3 / 6) / 3, 12);
  });

  it('gives null for a class without pixels, and leaves it out of the mean', () => {
    const { meanIou, classes } = scoreTable([
      [4, 0, 0],
      [0, 0, 0],
      [4, 0, 0]
    ]);
    expect(classes[1]).toEqual({ recall: null, precision: null, iou: null, labelled: 0 });
    expect(classes[2]).toEqual({ recall: 0, precision: null, iou: 0, labelled: 4 });
    expect(meanIou).toBe(0.25);
    expect(scoreTable([[0]])).toMatchObject({ accuracy: null, meanIou: null });
    expect(scoreTable([])).toEqual({ accuracy: null, meanIou: null, classes: [] });
  });

  it('refuses a matrix that is not square, naming the row', () => {
    expect(() => scoreTable([[1, 2], [3]])).toThrow('row 1 has 1');
  });
});

describe('confusedClasses', () => {
  it('lists the classes taken for another one, the largest share first', () => {
    const found = confusedClasses([
      [90, 10, 0],
      [0, 5, 5],
      [1, 1, 8]
    ]);
    expect(found.map(({ labelled, predicted }) => [labelled, predicted])).toEqual([
      [1, 2],
      [0, 1],
      [2, 0],
      [2, 1]
    ]);
    expect(found[0]).toEqual({ labelled: 1, predicted: 2, pixels: 5, share: 0.5 });
    expect(confusedClasses([[3]])).toEqual([]);
  });
});
