/** Shows the uncertainty of the classifier over the image. */
import { UncertaintyMeasure } from '../../shared';
import { element } from '../base/dom';
import { eyeButton, Note, opacitySlider, SelectField } from './fields';
import { FoldingSection } from './folding-section';
import { ByteTilesState } from '../tiles/byte-tiles';
import { outlineButton } from './outline-button';
import { overlayRow } from './overlays-section';
import { ISection, ISectionOptions } from './section';
import { trans } from '../base/translation';
import { uncertaintyGradient } from '../tiles/uncertainty-colors';

export const uncertaintySection: ISection = { place: 'middle', create: options => new UncertaintySection(options) };

export class UncertaintySection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({
      ...options,
      testid: 'sambalab-uncertainty-section',
      title: trans.__('Uncertainty'),
      follows: ['features', 'session', 'choice']
    });
    const { state } = options;
    this._measure = new SelectField({
      testid: 'sambalab-uncertainty-measure',
      label: trans.__('Measure'),
      title: trans.__(
        'p₁ and p₂ are the probabilities of the two most probable classes. Margin: 1 − (p₁ − p₂); maximum: 1 − p₁'
      ),
      choices: [
        ['margin', trans.__('Margin')],
        ['maximum', trans.__('Maximum')]
      ],
      choose: measure => {
        if (state.parts) {
          state.parts.uncertainty.measure = measure as UncertaintyMeasure;
        }
      }
    });
    this._eye = eyeButton({
      testid: 'sambalab-uncertainty',
      title: trans.__('Show the uncertainty over the image; hold H to hide all overlays'),
      run: () => state.parts?.uncertainty.show(!state.parts.uncertainty.shown)
    });
    this._opacity = opacitySlider({
      testid: 'sambalab-uncertainty-opacity',
      title: trans.__('Opacity of the uncertainty; hold H to hide all overlays'),
      input: opacity => state.settings.set({ uncertaintyOpacity: opacity })
    });
    this._outline = outlineButton({
      testid: 'sambalab-uncertainty-outline',
      name: trans.__('Uncertainty over one half'),
      run: uncertaintyOutline => state.settings.set({ uncertaintyOutline })
    });
    this._row = overlayRow(this._opacity.node, this._outline.node);
    const ramp = element('div', { class: 'sambalab-ramp', 'aria-hidden': 'true' });
    ramp.style.background = uncertaintyGradient();
    this._legend = element(
      'div',
      { class: 'sambalab-legend', 'data-testid': 'sambalab-uncertainty-legend' },
      element('span', {}, trans.__('sure')),
      ramp,
      element('span', {}, trans.__('unsure'))
    );
    this._fold.body.append(
      element('div', { class: 'sambalab-preview-row' }, this._measure.node, this._eye.node),
      this._row,
      this._legend,
      this._note.node
    );
    this.refresh();
  }

  protected override refresh(): void {
    const uncertainty = this._state.parts?.uncertainty;
    if (!uncertainty) {
      return;
    }
    const { shown, state } = uncertainty;
    this._fold.value = shown ? trans.__('shown') : '';
    this._measure.set(uncertainty.measure);
    this._eye.set(shown);
    const { uncertaintyOpacity, uncertaintyOutline } = this._state.settings.values;
    this._row.hidden = !shown;
    this._opacity.set(uncertaintyOpacity);
    this._outline.set(uncertaintyOutline);
    this._legend.hidden = !shown || uncertaintyOutline;
    this._note.set(noteOf(state, uncertainty.any), state.state === 'failed' ? 'error' : 'plain');
  }

  private readonly _measure: SelectField;
  private readonly _eye: ReturnType<typeof eyeButton>;
  private readonly _opacity: ReturnType<typeof opacitySlider>;
  private readonly _outline: ReturnType<typeof outlineButton>;
  private readonly _row: HTMLElement;
  private readonly _legend: HTMLElement;
  private readonly _note = new Note({ testid: 'sambalab-uncertainty-note', announced: true });
}

function noteOf(state: ByteTilesState, any: boolean): string {
  switch (state.state) {
    case 'across':
      return trans.__('The uncertainty is computed on slices in xy: switch to this direction to see it.');
    case 'gone':
      return trans.__('There is no classifier yet. Label two classes and train.');
    case 'loading':
      // The last tiles stay until new ones arrive, so only the first computation is announced.
      return any ? '' : trans.__('Computing…');
    case 'failed':
      return state.message;
    default:
      return '';
  }
}
