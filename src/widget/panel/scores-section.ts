/** The classifier's scores and the phase fractions. They follow every new segmentation. */
import { ClassifierInfo, isBoosting, LabelClass, PhaseFraction, Scores, scoreTable, SessionState } from '../../shared';
import { element } from '../base/dom';
import { Note } from './fields';
import { FoldingSection } from './folding-section';
import { classTable, confusionTable, importanceList, percent, phaseTable } from './scores-tables';
import { ISection, ISectionOptions } from './section';
import { trans } from '../base/translation';

/** With fewer independent areas an interval is rough. */
const FEW_AREAS = 10;

export const scoresSection: ISection = { place: 'middle', create: options => new ScoresSection(options) };

export class ScoresSection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({ ...options, testid: 'sambalab-scores', title: trans.__('Scores'), follows: ['session', 'status'] });
    this._fold.body.append(
      this._empty.node,
      this._overall.node,
      this._note.node,
      this._classes.node,
      this._confusion.node,
      this._phases.node,
      this._few.node,
      this._important
    );
    this._important.append(
      element('div', { class: 'sambalab-field-label' }, trans.__('Most important features')),
      this._importance.node
    );
    this._fold.node.addEventListener('toggle', () => this.refresh());
    this.refresh();
  }

  override dispose(): void {
    this._state.parts?.phases.want(this, false);
    super.dispose();
  }

  protected override refresh(): void {
    const { session } = this._state;
    const classifier = session?.segmentation?.classifier;
    const scores = classifier?.scores && fits(classifier, classifier.scores) ? classifier.scores : null;
    const table = scores && scoreTable(scores.confusion);
    const overall = table?.accuracy ?? classifier?.oobScore ?? null;
    this._fold.value = overall === null ? '' : `${percent(overall)} %`;
    this._state.parts?.phases.want(this, this._fold.node.open);
    if (!this._fold.node.open) {
      return;
    }
    this._empty.set(classifier ? '' : emptyText(session));
    this._overall.set(classifier ? overallText(classifier, overall, table?.meanIou ?? null) : '');
    const source = scores ? sourceText(scores) : '';
    if (this._overall.node.title !== source) {
      this._overall.node.title = source;
    }
    this._note.set(classifier?.note ?? '');
    this._classes.node.hidden = this._confusion.node.hidden = !table;
    if (table && scores) {
      const classes = coloured(classifier!.classes, session!.classes);
      this._classes.show(classes, table);
      this._confusion.show(classes, scores.confusion);
    }
    const counts = session?.segmentation?.counts;
    this._phases.node.hidden = !counts;
    if (counts) {
      const { pixelSize, shape } = session.image;
      const { phases = [], isOutdated = true } = this._state.parts?.phases ?? {};
      this._phases.show(session.classes, counts, pixelSize ?? null, shape[0], { phases, isOutdated });
      this._few.set(fewText(session.classes, phases));
    } else {
      this._few.set('');
    }
    const importance = classifier?.importance ?? null;
    this._important.hidden = importance === null;
    if (importance) {
      this._importance.show(classifier!.features, importance);
    }
  }

  private readonly _empty = new Note({ testid: 'sambalab-scores-empty' });
  private readonly _overall = new Note({ testid: 'sambalab-scores-overall', className: 'sambalab-scores-overall' });
  private readonly _note = new Note({ testid: 'sambalab-scores-note' });
  private readonly _classes = classTable();
  private readonly _confusion = confusionTable();
  private readonly _phases = phaseTable();
  private readonly _few = new Note({ testid: 'sambalab-phases-note' });
  private readonly _important = element('div', {});
  private readonly _importance = importanceList();
}

/** The classifier's classes with the session's current names and colours. */
function coloured(classes: readonly LabelClass[], now: readonly LabelClass[]): LabelClass[] {
  return classes.map(item => now.find(({ id }) => id === item.id) ?? item);
}

function fits({ classes }: ClassifierInfo, { confusion }: Scores): boolean {
  return confusion.length === classes.length && confusion.every(row => row.length === classes.length);
}

function emptyText(session: SessionState | null): string {
  const labelled = Object.values(session?.labels.counts ?? {}).filter(count => count > 0).length;
  return labelled < 2
    ? trans.__('Label pixels of two classes, then train: scores for each class appear here.')
    : trans.__('Train, or switch Live on: scores for each class appear here.');
}

/** The phases of which the image holds too few regions for a good interval, or nothing. */
function fewText(classes: readonly LabelClass[], phases: readonly PhaseFraction[]): string {
  const few = classes.filter(({ id }) => {
    const phase = phases.find(each => each.id === id);
    return phase && phase.low !== null && (phase.regions ?? 0) < FEW_AREAS;
  });
  const names = few.map(({ name }) => `“${name}”`).join(', ');
  return few.length > 0
    ? trans.__('The image shows few regions of %1: the interval is wide and rough. More images help.', names)
    : '';
}

/** Tooltip: the pixels on which a score was measured, and how far to trust it. */
function sourceText({ source }: Scores): string {
  return source === 'out-of-bag'
    ? trans.__(
        'Each labelled pixel is tested with the trees that did not learn from it. Neighbouring pixels of a stroke are alike, so expect lower scores where you have not labelled.'
      )
    : trans.__(
        'Whole strokes were held out and tested with trees that did not learn from them, so this score can be lower than an out-of-bag score.'
      );
}

/** The overall score, or why there is none. */
function overallText(
  { scores, samples, labelsVersion, forest }: ClassifierInfo,
  overall: number | null,
  iou: number | null
): string {
  if (overall === null) {
    if (labelsVersion === 0) {
      return trans.__('This classifier came from a file without scores.');
    }
    return forest && isBoosting(forest)
      ? trans.__('There is no score yet. Draw a few strokes of each class: some of them are then held out for testing.')
      : trans.__('Too few pixels are labelled for a score: %1.', samples.toLocaleString());
  }
  const right =
    scores?.source === 'held-out'
      ? trans.__('%1 % of held-out labels are right', percent(overall))
      : trans.__('%1 % of out-of-bag labels are right', percent(overall));
  return iou === null ? right : `${right} · ${trans.__('mean IoU %1 %', percent(iou))}`;
}
