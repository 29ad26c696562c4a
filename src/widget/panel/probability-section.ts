/** Shows the classifier's probability of one class over the image. */
import { element } from '../base/dom';
import { trans } from '../base/translation';
import { ProbabilityOverlay } from '../state/probability';
import { eyeButton, Note, opacitySlider } from './fields';
import { FoldingSection } from './folding-section';
import { outlineButton } from './outline-button';
import { overlayRow } from './overlays-section';
import { ISection, ISectionOptions } from './section';

export const probabilitySection: ISection = { place: 'middle', create: options => new ProbabilitySection(options) };

export class ProbabilitySection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({
      ...options,
      testid: 'sambalab-probability-section',
      title: trans.__('Probability'),
      follows: ['features', 'session', 'choice']
    });
    const { state } = options;
    const { settings } = state;
    const label = trans.__('Class whose probability is shown');
    this._list = element('select', {
      class: 'sambalab-select',
      'aria-label': label,
      title: label,
      'data-testid': 'sambalab-probability-class'
    });
    this._list.addEventListener('change', () => {
      if (state.parts) {
        state.parts.probability.classId = Number(this._list.value);
      }
    });
    this._eye = eyeButton({
      testid: 'sambalab-probability',
      title: trans.__('Show the probability of this class over the image; hold H to hide all overlays'),
      run: () => state.parts?.probability.show(!state.parts.probability.shown)
    });
    this._opacity = opacitySlider({
      testid: 'sambalab-probability-opacity',
      title: trans.__('Opacity of the probability; hold H to hide all overlays'),
      input: probabilityOpacity => settings.set({ probabilityOpacity })
    });
    this._outline = outlineButton({
      testid: 'sambalab-probability-outline',
      name: trans.__('Probability over 50 %'),
      run: probabilityOutline => settings.set({ probabilityOutline })
    });
    this._row = overlayRow(this._opacity.node, this._outline.node);
    this._legend = element(
      'div',
      { class: 'sambalab-legend' },
      element('span', {}, '0 %'),
      this._ramp,
      element('span', {}, '100 %')
    );
    this._fold.body.append(
      element('div', { class: 'sambalab-preview-row' }, this._list, this._eye.node),
      this._row,
      this._legend,
      this._note.node
    );
    this.refresh();
  }

  protected override refresh(): void {
    const { parts, session, settings, currentClass } = this._state;
    if (!parts || !session) {
      return;
    }
    const { probability } = parts;
    const { classes } = session;
    // The current class is the one to begin with; also if the chosen one was removed.
    if (!classes.some(({ id }) => id === probability.classId)) {
      probability.classId = currentClass?.id ?? 0;
    }
    const listed = classes.map(({ id, name }) => `${id} ${name}`).join('\n');
    if (listed !== this._listed) {
      this._listed = listed;
      this._list.replaceChildren(...classes.map(({ id, name }) => element('option', { value: String(id) }, name)));
    }
    this._list.value = String(probability.classId);
    const chosen = classes.find(({ id }) => id === probability.classId);
    const { shown } = probability;
    this._fold.value = shown ? (chosen?.name ?? '') : '';
    this._eye.set(shown);
    this._row.hidden = !shown;
    this._opacity.set(settings.values.probabilityOpacity);
    this._outline.set(settings.values.probabilityOutline);
    this._legend.hidden = !shown || settings.values.probabilityOutline;
    this._ramp.style.background = `linear-gradient(90deg, transparent, ${chosen?.color ?? 'transparent'})`;
    const failed = probability.state.state === 'failed';
    this._note.set(noteOf(probability, chosen?.name ?? ''), failed ? 'error' : 'plain');
  }

  private readonly _list: HTMLSelectElement;
  private readonly _eye: ReturnType<typeof eyeButton>;
  private readonly _opacity: ReturnType<typeof opacitySlider>;
  private readonly _outline: ReturnType<typeof outlineButton>;
  private readonly _row: HTMLElement;
  private readonly _legend: HTMLElement;
  private readonly _ramp = element('div', { class: 'sambalab-ramp', 'aria-hidden': 'true' });
  private readonly _note = new Note({ testid: 'sambalab-probability-note', announced: true });
  private _listed = '';
}

function noteOf({ state, any, unknown }: ProbabilityOverlay, name: string): string {
  switch (state.state) {
    case 'across':
      return trans.__('The probability is computed on slices in xy: switch to this direction to see it.');
    case 'gone':
      return unknown
        ? trans.__('The classifier does not know %1 yet. Label some of it and train.', name)
        : trans.__('There is no classifier yet. Label two classes and train.');
    case 'loading':
      return any ? '' : trans.__('Computing…');
    case 'failed':
      return state.message;
    default:
      return '';
  }
}
