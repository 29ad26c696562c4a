/** Tells the user what damaged files have cost. */
import { CLASS_COLORS } from '../../../src/shared/class-colors';
import { LabelClass, SessionState } from '../../../src/shared/protocol';
import { JournalledLabels } from './journalled-labels';
import { IRows } from './replay';

/** Ranges of rows that the text names; further ones are counted. */
const ROWS_NAMED = 3;

/** Damage beside that of the journal. */
export interface IRecordDamage {
  /** The copy of a damaged `session.json`. */
  record?: string | undefined;
  /** Whether the journal was missing though the session has had labels. */
  journalMissing?: boolean;
  /** Classes that were named anew, as their names are lost. */
  renamed?: LabelClass[];
}

/** When labels were opened, and how many pixels were labelled then. */
export interface IOpened {
  at: Date;
  pixels: number;
}

/** What was recovered and lost when the labels were opened; null if all files were whole. */
export function recoveredOf(
  labels: JournalledLabels,
  { at, pixels }: IOpened,
  { record, journalMissing = false, renamed = [] }: IRecordDamage
): SessionState['recovered'] {
  const { loss, copy } = labels;
  if (!loss && !record && !journalMissing && renamed.length === 0) {
    return null;
  }
  const text: string[] = [];
  if (journalMissing) {
    text.push('The file labels.journal is missing: the labels of this session are lost.');
  } else if (loss) {
    text.push(`The file of the labels was damaged. ${count(pixels, 'labelled pixel')} ${were(pixels)} kept.`);
    text.push(...lossText(labels));
    text.push(
      copy
        ? `The damaged file is kept as ${copy}.`
        : 'The file could not be replaced yet (the sidecar’s log says why) and stays as it is; until then every change is refused.'
    );
  }
  if (record) {
    text.push(
      `The file session.json was damaged: the classifier is to be trained again. The damaged file is kept as ${record}.`
    );
  }
  if (renamed.length > 0) {
    const names = renamed.map(({ name }) => JSON.stringify(name)).join(', ');
    text.push(`The names of some classes are lost; these are now called ${names}.`);
  }
  return {
    at: at.toISOString(),
    pixels,
    lostChanges: loss?.changes ?? 0,
    lostPixels: journalMissing ? null : loss ? loss.pixels : 0,
    lostMore: journalMissing || (loss?.more ?? false),
    lostRows: loss?.rows ?? [],
    lostBytes: loss?.bytes ?? 0,
    copies: [...(copy ? [copy] : []), ...(record ? [record] : [])],
    text: text.join(' ')
  };
}

/** The classes that ids of labels need and `classes` lacks, named "class 3" for example. */
export function missingClasses(classes: readonly LabelClass[], ids: Iterable<number>): LabelClass[] {
  const taken = new Set(classes.map(({ name }) => name));
  const have = new Set(classes.map(({ id }) => id));
  return [...ids]
    .filter(id => !have.has(id))
    .map(id => {
      let name = `class ${id}`;
      for (let n = 2; taken.has(name); n++) {
        name = `class ${id} (${n})`;
      }
      taken.add(name);
      return { id, name, color: CLASS_COLORS[id - 1]! };
    });
}

function lossText({ loss }: JournalledLabels): string[] {
  if (!loss) {
    return [];
  }
  const { changes, more, pixels, rows, provenance } = loss;
  const lost: string[] = [];
  if (pixels === null) {
    lost.push(`an unknown number of pixels in ${rowsText(rows)}`);
  } else if (pixels > 0) {
    lost.push(`${count(pixels, 'labelled pixel')} in ${rowsText(rows)}`);
  }
  if (changes > 0) {
    lost.push(`${more ? 'at least ' : ''}${count(changes, 'stroke')}`);
  } else if (more) {
    lost.push('perhaps some strokes');
  }
  if (provenance > 0) {
    lost.push(`what made ${count(provenance, 'labelled pixel')} (a hand, SAM, interpolation or Python)`);
  }
  return [lost.length > 0 ? `Lost: ${lost.join(', and ')}.` : 'Nothing is lost.'];
}

function rowsText(rows: IRows[]): string {
  const named = rows
    .slice(0, ROWS_NAMED)
    .map(({ slice, row0, row1 }) => `rows ${row0} to ${row1 - 1} of slice ${slice}`);
  const further = rows.length - named.length;
  return (
    [...named, ...(further > 0 ? [`${count(further, 'further range')} of rows`] : [])].join(', ') || 'unknown rows'
  );
}

function count(n: number, what: string): string {
  return `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`;
}

function were(n: number): string {
  return n === 1 ? 'was' : 'were';
}
