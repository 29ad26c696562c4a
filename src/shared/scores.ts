/**
 * Scores of a classifier by class, from its confusion matrix. Python computes the same in `sambalab/spec/scores.py`.
 *
 * With n[i][j] pixels of class i that are predicted as class j: recall = n[i][i] / Σj n[i][j], precision = n[i][i] / Σj n[j][i], and
 * IoU, the intersection over the union (Jaccard index), = n[i][i] / (Σj n[i][j] + Σj n[j][i] − n[i][i]); accuracy = Σi n[i][i] / Σij n[i][j].
 * Source: Powers, "Evaluation: from precision, recall and F-measure to ROC", J. Mach. Learn. Technol. 2 (2011) 37–63; Jaccard (1912).
 */

/** The scores of one class; null where the divisor is 0. */
export interface IClassScores {
  /** Share of the pixels with this label that are predicted as this class. */
  recall: number | null;
  /** Share of the pixels predicted as this class that have this label. */
  precision: number | null;
  iou: number | null;
  /** Number of pixels with this label. */
  labelled: number;
}

/** The scores of a classifier. */
export interface IScoreTable {
  /** Share of correctly predicted pixels; null if there are no pixels. */
  accuracy: number | null;
  /** Mean over the classes that have a value; null if none has. */
  meanIou: number | null;
  classes: IClassScores[];
}

/** A class, and the class that is predicted for some of its pixels. */
export interface IConfusedClasses {
  /** Indices of the two classes in the matrix. */
  labelled: number;
  predicted: number;
  pixels: number;
  /** Share of the first class's pixels. */
  share: number;
}

/** Scores of a matrix of pixels [labelled class][predicted class]. @throws RangeError if it is not square. */
export function scoreTable(confusion: readonly (readonly number[])[]): IScoreTable {
  const labelled = rowSums(confusion);
  const predicted = confusion.map((_, j) => confusion.reduce((sum, row) => sum + row[j]!, 0));
  const classes = confusion.map((row, i): IClassScores => {
    const right = row[i]!;
    return {
      recall: ratio(right, labelled[i]!),
      precision: ratio(right, predicted[i]!),
      iou: ratio(right, labelled[i]! + predicted[i]! - right),
      labelled: labelled[i]!
    };
  });
  const right = confusion.reduce((sum, row, i) => sum + row[i]!, 0);
  const all = labelled.reduce((sum, pixels) => sum + pixels, 0);
  const known = classes.flatMap(({ iou }) => (iou === null ? [] : [iou]));
  const iouSum = known.reduce((sum, iou) => sum + iou, 0);
  return { accuracy: ratio(right, all), meanIou: ratio(iouSum, known.length), classes };
}

/** The pairs of confused classes, the largest share first. */
export function confusedClasses(confusion: readonly (readonly number[])[]): IConfusedClasses[] {
  const labelled = rowSums(confusion);
  const found = confusion.flatMap((row, i) =>
    row.flatMap((pixels, j) =>
      i === j || pixels === 0 ? [] : [{ labelled: i, predicted: j, pixels, share: pixels / labelled[i]! }]
    )
  );
  return found.sort((a, b) => b.share - a.share || b.pixels - a.pixels);
}

function rowSums(confusion: readonly (readonly number[])[]): number[] {
  return confusion.map((row, i) => {
    if (row.length !== confusion.length) {
      throw new RangeError(
        `A confusion matrix of ${confusion.length} classes has as many columns; row ${i} has ${row.length}.`
      );
    }
    return row.reduce((sum, pixels) => sum + pixels, 0);
  });
}

function ratio(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}
