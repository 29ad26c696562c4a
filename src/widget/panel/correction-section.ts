/** The correction of the segmentation: whether the tools draw on it, and actions that clean it. */
import { Params } from '../../shared';
import { button, element, setDisabled } from '../base/dom';
import { trans } from '../base/translation';
import { Note, row, SelectField } from './fields';
import { FoldingSection } from './folding-section';
import { ISection, ISectionOptions } from './section';

export const correctionSection: ISection = { place: 'middle', create: options => new CorrectionSection(options) };

export class CorrectionSection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({
      ...options,
      testid: 'sambalab-correction',
      title: trans.__('Correction'),
      follows: ['session', 'choice', 'status']
    });
    this.addClass('sambalab-correction');
    const { state } = options;
    const toggle = (corrects: boolean, text: string, title: string) => {
      const node = button({
        testid: corrects ? 'sambalab-draw-on-correction' : 'sambalab-draw-on-labels',
        title,
        text,
        run: () => (state.corrects = corrects)
      });
      node.setAttribute('aria-label', title);
      return node;
    };
    this._onLabels = toggle(false, trans.__('Labels'), trans.__('The tools draw labels, which training learns from'));
    this._onCorrection = toggle(
      true,
      trans.__('Correction'),
      trans.__('The tools correct the segmentation; the labels stay as they are')
    );
    const label = trans.__('What the tools draw on');
    this._pixels = numberInput('sambalab-correction-below', 50, 1_000_000);
    this._radius = numberInput('sambalab-correction-radius', 2, 50);
    const clean = (testid: string, text: string, title: string, cleaning: () => Cleaning | null) =>
      this._action(testid, text, title, async () => {
        const what = cleaning();
        if (what) {
          await state.correct('correction.clean', { slice: state.slice, cleaning: what });
        }
      });
    const stack = (state.session?.image.shape[0] ?? 1) > 1;
    this._parts = new SelectField({
      testid: 'sambalab-correction-part',
      label: trans.__('Part'),
      title: trans.__('What is used as labels, or cleared'),
      choices: [
        ['slice', stack ? trans.__('This slice') : trans.__('The whole image')],
        ['view', trans.__('What is in view')],
        ...(stack ? [['all', trans.__('All slices')] as const] : [])
      ],
      choose: part => (this._part = part as CorrectedPart)
    });
    this._fold.body.append(
      element(
        'div',
        { class: 'sambalab-switch', role: 'group', 'aria-label': label },
        this._onLabels,
        this._onCorrection
      ),
      row(
        trans.__('Fewer pixels than'),
        this._pixels,
        trans.__('Size in pixels below which islands and holes count as small'),
        'sambalab-number-field'
      ),
      element(
        'div',
        { class: 'sambalab-button-row' },
        clean(
          'sambalab-remove-islands',
          trans.__('Remove islands'),
          trans.__('Give small regions of this slice the class around them'),
          () => ({ kind: 'islands', below: valueOf(this._pixels) })
        ),
        clean(
          'sambalab-fill-holes',
          trans.__('Fill holes'),
          trans.__('Fill small holes in the current class with it, in this slice'),
          () => state.currentClass && { kind: 'holes', below: valueOf(this._pixels), class: state.currentClass.id }
        )
      ),
      row(
        trans.__('Radius'),
        this._radius,
        trans.__('Radius of the majority filter in pixels'),
        'sambalab-number-field'
      ),
      element(
        'div',
        { class: 'sambalab-button-row' },
        clean(
          'sambalab-majority',
          trans.__('Majority filter'),
          trans.__('Give each pixel of this slice the class that is most frequent around it'),
          () => ({ kind: 'majority', radius: valueOf(this._radius) })
        )
      ),
      this._parts.node,
      element(
        'div',
        { class: 'sambalab-button-row' },
        this._action(
          'sambalab-use-correction',
          trans.__('Use as labels'),
          trans.__('Make the correction of this part labels, so that the next training learns it'),
          () => state.correct('correction.use', this._chosenPart())
        ),
        this._action(
          'sambalab-clear-correction',
          trans.__('Clear'),
          trans.__('Remove the correction of this part'),
          () => state.correct('correction.clear', this._chosenPart())
        )
      ),
      this._note.node
    );
    this.refresh();
  }

  protected override refresh(): void {
    const { corrects, session } = this._state;
    const ready = Boolean(session?.segmentation);
    this._onLabels.setAttribute('aria-pressed', String(!corrects));
    this._onCorrection.setAttribute('aria-pressed', String(corrects));
    setDisabled(this._onCorrection, !ready);
    const across = this._state.direction !== 'xy';
    this._actions.forEach(node => setDisabled(node, !ready || across));
    this._fold.value = corrects ? trans.__('on') : '';
    this._parts.set(this._part);
    this._note.set(
      !ready
        ? trans.__('Train first: there is no segmentation to correct yet.')
        : across
          ? trans.__('The buttons work on slices in xy: switch to this direction to use them.')
          : ''
    );
  }

  private _action(testid: string, text: string, title: string, run: () => Promise<void>): HTMLButtonElement {
    const node = button({ testid, text, title, className: 'sambalab-outlined', run: () => void run() });
    this._actions.push(node);
    return node;
  }

  /** What "Use as labels" and "Clear" take. */
  private _chosenPart(): Omit<Params<'correction.use'>, 'session'> {
    const { slice, live } = this._state;
    const view = this._part === 'view' ? live.inView(slice) : null;
    return view
      ? { slice, rows: [view.row0, view.row1], columns: [view.column0, view.column1] }
      : this._part === 'all'
        ? {}
        : { slice };
  }

  private readonly _onLabels: HTMLButtonElement;
  private readonly _onCorrection: HTMLButtonElement;
  private _part: CorrectedPart = 'slice';
  private readonly _parts: SelectField;
  private readonly _pixels: HTMLInputElement;
  private readonly _radius: HTMLInputElement;
  private readonly _note = new Note({ testid: 'sambalab-correction-note' });
  private readonly _actions: HTMLButtonElement[] = [];
}

type CorrectedPart = 'slice' | 'view' | 'all';
type Cleaning = Params<'correction.clean'>['cleaning'];

/** A field for a whole number from 1. */
function numberInput(testid: string, value: number, max: number): HTMLInputElement {
  return element('input', {
    class: 'sambalab-text',
    type: 'number',
    min: '1',
    max: String(max),
    value: String(value),
    'data-testid': testid
  });
}

/** The number in a field; what is no number from 1 to its limit becomes the nearest one. */
function valueOf(input: HTMLInputElement): number {
  const number = Math.min(Number(input.max), Math.max(1, Math.round(Number(input.value) || 1)));
  input.value = String(number);
  return number;
}
