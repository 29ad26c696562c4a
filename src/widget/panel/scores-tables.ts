/** The parts of the scores section: scores by class, confusion matrix, phase fractions, important features. */
import { confusedClasses, IConfusedClasses, IScoreTable, LabelClass, PhaseFraction, PixelSize } from '../../shared';
import { element, setText } from '../base/dom';
import { trans } from '../base/translation';

/** Most classes for which the confusion matrix shows numbers; with more its cells are too small. */
export const CONFUSION_TEXT_MAX = 8;
/** Number of confusions that are listed in words below the matrix: with numbers in it, and without. */
const NAMED = 3;
const NAMED_MORE = 5;
/** Smallest share of a class that is listed as a confusion. */
const WORTH_NAMING = 0.005;
/** Number of features that are listed as the most important. */
const IMPORTANT = 5;

/** A part of the section. `show` changes only the nodes whose content differs, so that nothing flickers. */
export interface IScoresPart<T extends unknown[]> {
  readonly node: HTMLElement;
  show(...values: T): void;
}

/** A share as percent with one decimal, without the sign. Only 1 gives “100”; null gives “–”. */
export function percent(share: number | null): string {
  return share === null ? '–' : share === 1 ? '100' : Math.min(share * 100, 99.9).toFixed(1);
}

/** Recall, precision and IoU of each class. */
export function classTable(): IScoresPart<[classes: readonly LabelClass[], table: IScoreTable]> {
  const column = (text: string, title: string) => element('th', { scope: 'col', title }, text);
  const body = element('tbody', {});
  const node = element(
    'table',
    { class: 'sambalab-scores-table', 'data-testid': 'sambalab-scores-classes' },
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        element('th', { scope: 'col' }, trans.__('Class, %')),
        column(trans.__('Recall'), trans.__('Of the pixels labelled as the class, the share that is predicted as it')),
        column(
          trans.__('Precision'),
          trans.__('Of the pixels predicted as the class, the share that is labelled as it')
        ),
        column(
          trans.__('IoU'),
          trans.__(
            'Intersection over union: pixels both labelled and predicted as the class, divided by pixels that are either'
          )
        )
      )
    ),
    body
  );
  return {
    node,
    show(classes, table) {
      const lines = keep(body, classes.length, () => {
        const cells = [1, 2, 3].map(() => element('td', {}));
        return element('tr', {}, element('th', { scope: 'row' }, className()), ...cells);
      });
      lines.forEach((line, i) => {
        const { recall, precision, iou, labelled } = table.classes[i]!;
        showClass(line.firstElementChild!.firstElementChild!, classes[i]!);
        setTitle(line, trans.__('%1: measured on %2 labelled pixels', classes[i]!.name, labelled.toLocaleString()));
        [recall, precision, iou].forEach((share, k) => setText(line.children[k + 1]!, percent(share)));
      });
    }
  };
}

/** The confusion matrix, a row for each labelled class and a column for each predicted one, and the worst confusions in words. */
export function confusionTable(): IScoresPart<
  [classes: readonly LabelClass[], confusion: readonly (readonly number[])[]]
> {
  const head = element('tr', {});
  const body = element('tbody', {});
  const table = element(
    'table',
    { class: 'sambalab-confusion', 'data-testid': 'sambalab-confusion' },
    element('caption', {}, trans.__('Rows: labelled; columns: predicted; % of the row')),
    element('thead', {}, head),
    body
  );
  const worst = element('ul', { class: 'sambalab-confused-classes', 'data-testid': 'sambalab-confused-classes' });
  return {
    node: element('div', {}, table, worst),
    show(classes, confusion) {
      const count = classes.length;
      table.classList.toggle('sambalab-many', count > CONFUSION_TEXT_MAX);
      const heads = keep(head, count + 1, i => (i === 0 ? element('td', {}) : headCell('col')));
      heads.slice(1).forEach((cell, i) => showHead(cell, classes[i]!));
      const lines = keep(body, count, () => element('tr', {}));
      lines.forEach((line, i) => {
        const row = confusion[i]!;
        const all = row.reduce((sum, pixels) => sum + pixels, 0);
        const cells = keep(line, count + 1, j => (j === 0 ? headCell('row') : element('td', {}, element('span', {}))));
        showHead(cells[0]!, classes[i]!);
        cells.slice(1).forEach((cell, j) => {
          const share = all > 0 ? row[j]! / all : null;
          setText(cell.firstElementChild!, wholePercent(share));
          // The square root makes small shares visible: a confusion of 4 % matters.
          setStyle(cell, '--sambalab-share', `${Math.round(Math.sqrt(share ?? 0) * 100)}%`);
          cell.dataset['right'] = String(i === j);
          const title =
            i === j
              ? trans.__('%1 is recognised: %2 %', classes[i]!.name, percent(share))
              : trans.__('%1 is taken for %2: %3 %', classes[i]!.name, classes[j]!.name, percent(share));
          setTitle(cell, title);
        });
      });
      const most = count > CONFUSION_TEXT_MAX ? NAMED_MORE : count > 2 ? NAMED : 0;
      const named = confusedClasses(confusion)
        .filter(({ share }) => share >= WORTH_NAMING)
        .slice(0, most);
      const items = keep(worst, named.length, () =>
        element('li', {}, element('span', {}), element('span', { class: 'sambalab-value' }))
      );
      items.forEach((item, i) => showConfused(item, classes, named[i]!));
      worst.hidden = named.length === 0;
    }
  };
}

function showConfused(item: HTMLElement, classes: readonly LabelClass[], confused: IConfusedClasses): void {
  const [from, to] = [classes[confused.labelled]!.name, classes[confused.predicted]!.name];
  setText(item.firstElementChild!, trans.__('%1 taken for %2', from, to));
  setText(item.lastElementChild!, `${percent(confused.share)} %`);
}

/** Intervals of phase fractions, and whether they are of an older segmentation. */
export interface IIntervals {
  phases: readonly PhaseFraction[];
  isOutdated: boolean;
}

/** The fraction of the image in each phase, counted with the labels on top of the segmentation, and its interval in the material. */
export function phaseTable(): IScoresPart<
  [
    classes: readonly LabelClass[],
    counts: Readonly<Record<string, number>>,
    size: PixelSize | null,
    slices: number,
    intervals: IIntervals
  ]
> {
  const bar = element('div', { class: 'sambalab-phase-bar', 'aria-hidden': 'true' });
  const body = element('tbody', {});
  const area = element('th', { scope: 'col' });
  const head = element(
    'thead',
    {},
    element(
      'tr',
      {},
      element('th', { scope: 'col' }, trans.__('Phase')),
      element('th', { scope: 'col' }, '%'),
      element(
        'th',
        {
          scope: 'col',
          title: trans.__(
            'The 95 % interval of the fraction in the material: the image shows a part of it, and the classification errs'
          )
        },
        trans.__('Interval')
      ),
      area
    )
  );
  const table = element(
    'table',
    { class: 'sambalab-scores-table sambalab-phases', 'data-testid': 'sambalab-phases' },
    head,
    body
  );
  return {
    node: element('div', { class: 'sambalab-phase-part' }, bar, table),
    show(classes, counts, size, slices, { phases, isOutdated }) {
      const pixels = classes.map(({ id }) => counts[String(id)] ?? 0);
      // A class that was removed keeps its pixels until the next training.
      const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
      const share = (count: number) => (all > 0 ? count / all : null);
      keep(bar, classes.length, () => element('div', {})).forEach((part, i) => {
        setStyle(part, '--sambalab-class', classes[i]!.color);
        setStyle(part, 'flex-grow', String(share(pixels[i]!) ?? 0));
      });
      area.hidden = size === null;
      setText(area, size ? trans.__('Area, %1²', size.unit) : '');
      setTitle(area, slices > 1 ? trans.__('Over all %1 slices', slices) : '');
      const lines = keep(body, classes.length, () =>
        element('tr', {}, element('th', { scope: 'row' }, className()), ...[1, 2, 3].map(() => element('td', {})))
      );
      if (table.dataset['outdated'] !== String(isOutdated)) {
        table.dataset['outdated'] = String(isOutdated);
      }
      lines.forEach((line, i) => {
        const [name, part, interval, size2] = [...line.children] as HTMLElement[];
        const phase = phases.find(({ id }) => id === classes[i]!.id);
        showClass(name!.firstElementChild!, classes[i]!);
        setText(part!, percent(share(pixels[i]!)));
        setText(interval!, phases.length > 0 ? intervalText(phase) : '');
        const covered = size ? areaText(pixels[i]! * size.value ** 2) : '';
        const count = [
          trans.__('%1 pixels', pixels[i]!.toLocaleString()),
          ...(size ? [`${covered} ${size.unit}²`] : [])
        ].join(', ');
        setTitle(line, phase ? [count, ...errorLines(phase)].join('\n') : count);
        size2!.hidden = size === null;
        setText(size2!, covered);
      });
    }
  };
}

/** The ends of an interval in percent; a dash if nothing can be said, as of a phase that is absent. */
export function intervalText(phase: PhaseFraction | undefined): string {
  return !phase || phase.low === null ? '–' : `${percent(phase.low)}–${percent(phase.high)}`;
}

/** What an interval is made of, in lines of a tooltip. */
function errorLines({ low, field, classification, regions }: PhaseFraction): string[] {
  if (low === null) {
    return [trans.__('The image has no other phase, so no interval can be given')];
  }
  const lines =
    field === null || regions === null
      ? [trans.__('The regions are larger than the image: any fraction is possible')]
      : [
          trans.__('Field of view: ± %1 % (standard error)', (100 * field).toFixed(1)),
          trans.__('The image is worth about %1 independent areas', Math.max(1, Math.round(regions)).toLocaleString())
        ];
  const classified = classification === null ? '' : (100 * classification).toFixed(1);
  return [
    ...lines,
    classified
      ? trans.__('Classification: ± %1 % (standard error)', classified)
      : trans.__('Without the error of the classification')
  ];
}

/** An area with four digits; very large and very small ones as powers of ten. */
export function areaText(area: number): string {
  if (area !== 0 && (area >= 1e7 || area < 1e-3)) {
    return area.toExponential(2);
  }
  return area.toLocaleString(undefined, { maximumSignificantDigits: 4 });
}

/** The most important features of the trees, as bars. */
export function importanceList(): IScoresPart<[names: readonly string[], importance: readonly number[]]> {
  const node = element('ol', { class: 'sambalab-important', 'data-testid': 'sambalab-important' });
  return {
    node,
    show(names, importance) {
      const best = importance
        .map((value, i) => ({ value, name: names[i] ?? '' }))
        .sort((a, b) => b.value - a.value)
        .slice(0, IMPORTANT)
        .filter(({ value }) => value > 0);
      const lines = keep(node, best.length, () =>
        element('li', {}, element('span', {}), element('span', { class: 'sambalab-value' }))
      );
      lines.forEach((line, i) => {
        const { name, value } = best[i]!;
        setText(line.firstElementChild!, name);
        setText(line.lastElementChild!, `${(value * 100).toFixed(1)} %`);
        setStyle(line, '--sambalab-share', `${((100 * value) / best[0]!.value).toFixed(1)}%`);
      });
    }
  };
}

function className(): HTMLElement {
  return element(
    'span',
    { class: 'sambalab-scores-class' },
    element('span', { class: 'sambalab-dot', 'aria-hidden': 'true' }),
    element('span', { class: 'sambalab-class-name' })
  );
}

function showClass(node: Element, { name, color }: LabelClass): void {
  setStyle(node.firstElementChild as HTMLElement, '--sambalab-class', color);
  setText(node.lastElementChild!, name);
}

function headCell(scope: 'row' | 'col'): HTMLElement {
  return element(
    'th',
    { scope },
    element('span', { class: 'sambalab-dot', 'aria-hidden': 'true' }),
    element('span', { class: 'sambalab-unseen' })
  );
}

function showHead(cell: HTMLElement, { name, color }: LabelClass): void {
  setStyle(cell.firstElementChild as HTMLElement, '--sambalab-class', color);
  setText(cell.lastElementChild!, name);
  setTitle(cell, name);
}

/** Whole percents; a share below half a percent is “<1”, so that it differs from 0. */
function wholePercent(share: number | null): string {
  return share === null ? '–' : share === 0 ? '0' : share < 0.005 ? '<1' : String(Math.round(share * 100));
}

/** Give a node `count` children: keep the first ones, and make or remove the rest. */
function keep(parent: HTMLElement, count: number, make: (i: number) => HTMLElement): HTMLElement[] {
  while (parent.children.length > count) {
    parent.lastElementChild!.remove();
  }
  while (parent.children.length < count) {
    parent.append(make(parent.children.length));
  }
  return [...parent.children] as HTMLElement[];
}

function setStyle(node: HTMLElement, name: string, value: string): void {
  if (node.style.getPropertyValue(name) !== value) {
    node.style.setProperty(name, value);
  }
}

function setTitle(node: HTMLElement, title: string): void {
  if (node.title !== title) {
    node.title = title;
  }
}
