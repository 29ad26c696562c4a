/** Shows the uncertainty over the image, and leads to where labels would help. */
import { UncertaintyMeasure } from '../../shared';
import { button, element, icon, setText } from '../base/dom';
import { opacitySlider, section, SelectField } from './fields';
import { TILES_IN_VIEW_MAX, ByteTilesState } from '../tiles/byte-tiles';
import { ISection, ISectionOptions } from './section';
import { StateWidget } from './state-widget';
import { trans } from '../base/translation';
import { uncertaintyGradient } from '../tiles/uncertainty-colors';

export const uncertaintySection: ISection = { place: 'middle', create: options => new UncertaintySection(options) };

export class UncertaintySection extends StateWidget {
  constructor({ state }: ISectionOptions) {
    super(state, ['features', 'session', 'choice']);
    this._measure = new SelectField({
      testid: 'sambalab-uncertainty-measure',
      label: trans.__('Measure'),
      title: trans.__(
        'Margin: 1 − (p₁ − p₂), by the two most probable classes; maximum: 1 − p₁, by the most probable one'
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
    this._eye = button({
      testid: 'sambalab-uncertainty',
      title: trans.__('Show the uncertainty over the image; hold H to hide all overlays'),
      icon: 'eyeOff',
      run: () => state.parts?.uncertainty.show(!state.parts.uncertainty.shown)
    });
    this._opacity = opacitySlider({
      testid: 'sambalab-uncertainty-opacity',
      title: trans.__('Opacity of the uncertainty; hold H to hide all overlays'),
      input: opacity => state.settings.set({ uncertaintyOpacity: opacity })
    });
    const ramp = element('div', { class: 'sambalab-ramp', 'aria-hidden': 'true' });
    ramp.style.background = uncertaintyGradient();
    this._legend = element(
      'div',
      { class: 'sambalab-legend', 'data-testid': 'sambalab-uncertainty-legend' },
      element('span', {}, trans.__('sure')),
      ramp,
      element('span', {}, trans.__('unsure'))
    );
    this._note = element('div', { class: 'sambalab-note', role: 'status', 'data-testid': 'sambalab-uncertainty-note' });
    this._section = section({
      testid: 'sambalab-uncertainty-section',
      body: [
        element('div', { class: 'sambalab-preview-row' }, this._measure.node, this._eye),
        this._opacity.node,
        this._legend,
        this._note
      ]
    });
    this.node.append(this._section.node);
    this.refresh();
  }

  protected override refresh(): void {
    const uncertainty = this._state.parts?.uncertainty;
    if (!uncertainty) {
      return;
    }
    const { shown, state } = uncertainty;
    this._section.head(trans.__('Uncertainty'), shown ? trans.__('shown') : '');
    this._measure.set(uncertainty.measure);
    if (this._eye.getAttribute('aria-pressed') !== String(shown)) {
      this._eye.setAttribute('aria-pressed', String(shown));
      this._eye.replaceChildren(icon(shown ? 'eye' : 'eyeOff'));
    }
    this._opacity.node.hidden = !shown;
    this._opacity.set(this._state.settings.values.uncertaintyOpacity);
    this._legend.hidden = !shown;
    // While tiles of the segmentation before are shown, that new ones come is not worth a word.
    const text = noteOf(state, uncertainty.any);
    setText(this._note, text);
    this._note.dataset['kind'] = state.state === 'failed' ? 'error' : 'plain';
    this._note.hidden = text === '';
  }

  private readonly _section: ReturnType<typeof section>;
  private readonly _measure: SelectField;
  private readonly _eye: HTMLButtonElement;
  private readonly _opacity: ReturnType<typeof opacitySlider>;
  private readonly _legend: HTMLElement;
  private readonly _note: HTMLElement;
}

function noteOf(state: ByteTilesState, any: boolean): string {
  switch (state.state) {
    case 'far':
      return trans.__('Zoom in to see it: at most %1 tiles of 256 × 256 pixels are shown.', TILES_IN_VIEW_MAX);
    case 'gone':
      return trans.__('There is no classifier yet. Label two classes and train.');
    case 'loading':
      return any ? '' : trans.__('Computing…');
    case 'failed':
      return state.message;
    default:
      return '';
  }
}
