/** Chooses a feature and shows it over the image. */
import { element } from '../base/dom';
import { channelGroups, familyOf, shortNumber } from '../state/feature-choice';
import { eyeButton, Note, opacitySlider } from './fields';
import { FoldingSection } from './folding-section';
import { TILES_IN_VIEW_MAX, ByteTilesState } from '../tiles/byte-tiles';
import { ISection, ISectionOptions } from './section';
import { trans } from '../base/translation';

export const previewSection: ISection = { place: 'middle', create: options => new PreviewSection(options) };

export class PreviewSection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({
      ...options,
      testid: 'sambalab-preview-section',
      title: trans.__('Preview'),
      follows: ['features', 'session']
    });
    const { state } = options;
    this._list = element('select', {
      class: 'sambalab-select',
      'aria-label': trans.__('Feature to preview'),
      title: trans.__('Feature to preview'),
      'data-testid': 'sambalab-preview-channel'
    });
    this._list.addEventListener('change', () => state.parts?.preview.choose(Number(this._list.value)));
    this._eye = eyeButton({
      testid: 'sambalab-preview',
      title: trans.__('Show the feature over the image; hold H to hide all overlays'),
      run: () => state.parts?.preview.show(!state.parts.preview.shown)
    });
    this._opacity = opacitySlider({
      testid: 'sambalab-preview-opacity',
      title: trans.__('Opacity of the feature; hold H to hide all overlays'),
      input: opacity => {
        if (state.parts) {
          state.parts.preview.opacity = opacity;
        }
      }
    });
    this._fold.body.append(
      element('div', { class: 'sambalab-preview-row' }, this._list, this._eye.node),
      this._opacity.node,
      this._note.node
    );
    this.refresh();
  }

  protected override refresh(): void {
    const preview = this._state.parts?.preview;
    if (!preview) {
      return;
    }
    if (preview.names !== this._names) {
      this._names = preview.names;
      this._fill(preview.names);
    }
    const gone = preview.channel < 0;
    this._showGone(gone ? preview.name : null);
    this._list.value = String(preview.channel);
    const { name } = preview;
    const heading = gone ? trans.__('%1 is not among the chosen features', name) : name;
    this._fold.value = preview.shown ? heading : '';
    this._eye.set(preview.shown);
    this._opacity.node.hidden = !preview.shown;
    this._opacity.set(preview.opacity);
    const { state } = preview;
    const channels = this._state.session?.image.shape[3] ?? 1;
    const ranged = familyOf(this._state.choice.spec, channels, preview.channel)?.ranged ?? false;
    this._note.set(noteOf(state, name, ranged), state.state === 'failed' ? 'error' : 'plain');
  }

  private _fill(names: readonly string[]): void {
    const channels = this._state.session!.image.shape[3];
    const colors = [trans.__('Red'), trans.__('Green'), trans.__('Blue')];
    const option = (channel: number) => element('option', { value: String(channel) }, names[channel]!);
    this._list.replaceChildren(
      ...channelGroups(this._state.choice.spec, channels, colors).flatMap(group =>
        group.title
          ? [element('optgroup', { label: group.title }, ...group.channels.map(option))]
          : group.channels.map(option)
      )
    );
  }

  /** List a shown feature that the spec no longer has; null if the spec has it. */
  private _showGone(name: string | null): void {
    this._gone?.remove();
    this._gone = name === null ? null : element('option', { value: '-1', disabled: '', hidden: '' }, name);
    if (this._gone) {
      this._list.prepend(this._gone);
    }
  }

  private readonly _list: HTMLSelectElement;
  private readonly _eye: ReturnType<typeof eyeButton>;
  private readonly _opacity: ReturnType<typeof opacitySlider>;
  private readonly _note = new Note({ testid: 'sambalab-preview-note', announced: true });
  private _gone: HTMLOptionElement | null = null;
  private _names: readonly string[] | null = null;
}

function noteOf(state: ByteTilesState, name: string, ranged: boolean): string {
  switch (state.state) {
    case 'far':
      return trans.__('Zoom in to preview: at most %1 tiles of 256 × 256 pixels are shown.', TILES_IN_VIEW_MAX);
    case 'across':
      return trans.__('The feature is computed on slices in xy: switch to this direction to see it.');
    case 'gone':
      return trans.__('“%1” is not among the chosen features. It is shown again once the features include it.', name);
    case 'loading':
      return trans.__('Computing…');
    case 'ready': {
      const values = [shortNumber(state.low), shortNumber(state.high)];
      return ranged
        ? trans.__('Black %1, white %2, computed from grey levels 0–255', ...values)
        : trans.__('Black %1, white %2', ...values);
    }
    case 'failed':
      return state.message;
    default:
      return '';
  }
}
