/** How SAM's suggestions are changed in shape before they are shown and accepted. */
import { slider } from '../base/dom';
import { trans } from '../base/translation';
import { DEFAULT_MODEL, MASK_GROW_MAX, SamModelInfo } from '../../shared';
import { ISuggestionOptions } from '../state/suggestion-options';
import { CheckField, Note, SelectField } from './fields';
import { FoldingSection } from './folding-section';
import { ISection, ISectionOptions } from './section';

export const suggestionSection: ISection = { place: 'middle', create: options => new SuggestionSection(options) };

class SuggestionSection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({
      ...options,
      testid: 'sambalab-suggestion-section',
      title: trans.__('Suggestions'),
      follows: ['choice', 'session']
    });
    const { suggestionOptions } = options.state;
    this._model = new SelectField({
      testid: 'sambalab-suggestion-model',
      label: trans.__('Model'),
      title: trans.__('The SAM model that suggests. Classifiers see MobileSAM, whichever suggests'),
      choices: [],
      choose: model => void options.state.chooseModel(model).finally(() => this.refresh())
    });
    this._broken = new Note({ testid: 'sambalab-suggestion-broken-models' });
    this._fold.node.addEventListener('toggle', () => void this._list());
    this._connected = new CheckField({
      testid: 'sambalab-suggestion-connected',
      label: trans.__('Only the part under the pointer'),
      title: trans.__(
        'Drop parts of the suggestion that are not connected with the pointer, or with the points that were clicked'
      ),
      choose: connected => suggestionOptions.set({ connected })
    });
    this._filled = new CheckField({
      testid: 'sambalab-suggestion-filled',
      label: trans.__('Fill holes'),
      title: trans.__('Fill the holes of the suggestion'),
      choose: filled => suggestionOptions.set({ filled })
    });
    this._smooth = new CheckField({
      testid: 'sambalab-suggestion-smooth',
      label: trans.__('Smooth'),
      title: trans.__('Smooth the border of the suggestion; its area stays'),
      choose: smooth => suggestionOptions.set({ smooth })
    });
    this._edges = new CheckField({
      testid: 'sambalab-suggestion-edges',
      label: trans.__('Follow edges'),
      title: trans.__('Move the border of the suggestion to the nearest edge of the image, where you are zoomed in'),
      choose: edges => suggestionOptions.set({ edges })
    });
    this._grow = slider({
      testid: 'sambalab-suggestion-grow',
      label: trans.__('Grow'),
      title: trans.__('Grow the suggestion by so many pixels of the image, or shrink it'),
      min: -MASK_GROW_MAX,
      max: MASK_GROW_MAX,
      format: pixels => (pixels === 0 ? trans.__('0 px') : trans.__('%1 px', signed(pixels))),
      input: grow => suggestionOptions.set({ grow })
    });
    this._fold.body.append(
      this._model.node,
      this._broken.node,
      this._edges.node,
      this._connected.node,
      this._filled.node,
      this._smooth.node,
      this._grow.node
    );
    this.refresh();
  }

  protected override refresh(): void {
    const { values } = this._state.suggestionOptions;
    this._connected.set(values.connected);
    this._filled.set(values.filled);
    this._smooth.set(values.smooth);
    this._edges.set(values.edges);
    this._grow.set(values.grow);
    this._fold.value = summary(values);
    this._showModel();
  }

  /** Ask which models are here; their files may have come since the section was last open. */
  private async _list(): Promise<void> {
    if (this._fold.node.open) {
      // Without a sidecar the list stays as it was.
      this._models = await this._state.models().catch(() => this._models);
      this._showModel();
    }
  }

  private _showModel(): void {
    const chosen = this._state.session?.samModel ?? DEFAULT_MODEL.id;
    const ready = this._models.filter(({ state }) => state === 'ready');
    const all = ready.length > 0 ? ready : [DEFAULT_MODEL];
    const broken = this._models.filter(({ state, problem }) => state !== 'missing' && problem !== null);
    const choices = all.map(({ id, title }) => [id, title] as const);
    if (JSON.stringify(choices) !== this._choices) {
      this._choices = JSON.stringify(choices); // a list that is open must not change with every stroke
      this._model.choices = choices;
    }
    this._model.set(all.some(({ id }) => id === chosen) ? chosen : null, chosen);
    const titles = broken.map(({ title }) => title).join(', ');
    this._broken.set(titles && trans.__('Wrong files: %1. “sambalab models verify” tells why.', titles), 'error');
    this._broken.node.title = broken.map(({ problem }) => problem).join('\n');
  }

  private readonly _model: SelectField;
  private readonly _broken: Note;
  private _models: readonly SamModelInfo[] = [];
  private _choices = '';
  private readonly _connected: CheckField;
  private readonly _filled: CheckField;
  private readonly _smooth: CheckField;
  private readonly _edges: CheckField;
  private readonly _grow: ReturnType<typeof slider>;
}

/** What is changed, in a few words. */
function summary({ connected, filled, smooth, edges, grow }: Readonly<ISuggestionOptions>): string {
  return [
    ...(edges ? [] : [trans.__('plain edges')]),
    ...(connected ? [trans.__('one part')] : []),
    ...(filled ? [trans.__('filled')] : []),
    ...(smooth ? [trans.__('smooth')] : []),
    ...(grow === 0 ? [] : [trans.__('%1 px', signed(grow))])
  ].join(', ');
}

/** A number with its sign. */
function signed(value: number): string {
  return value > 0 ? `+${value}` : `−${Math.abs(value)}`;
}
