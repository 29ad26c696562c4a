/**
 * What a confusion matrix says of a classifier, class by class. Python has the same in its table of scores.
 *
 * With n[i][j] pixels of class i that were taken for class j: recall = n[i][i] / Σj n[i][j], precision = n[i][i] / Σj n[j][i], and
 * IoU, the intersection over the union (Jaccard index), = n[i][i] / (Σj n[i][j] + Σj n[j][i] − n[i][i]); accuracy = Σi n[i][i] / Σij n[i][j].
 * Source: Powers, "Evaluation: from precision, recall and F-measure to ROC", J. Mach. Learn. Technol. 2 (2011) 37–63; Jaccard (1912).
 */

/** How a classifier does on one class; null where there is nothing to divide by. */
export interface IClassScores {
  /** Which share of the pixels labelled so is recognised. */
  recall: number | null;
  /** Which share of the pixels taken for it is labelled so. */
  precision: number | null;
  iou: number | null;
  /** Pixels labelled so. */
  labelled: number;
}

/** How a classifier does. */
export interface IScoreTable {
  /** Share of all pixels that are right; null if there are none. */
  accuracy: number | null;
  /** Mean over the classes that have one; null if none has. */
  meanIou: number | null;
  classes: IClassScores[];
}

/** A labelled class, and the class that some of its pixels are taken for. */
export interface IConfusedClasses {
  /** Indices of the two classes in the matrix. */
  labelled: number;
  predicted: number;
  pixels: number;
  /** Share of the pixels labelled so. */
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

/** The pairs of classes of which the first is taken for the second, the largest share first. */
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
