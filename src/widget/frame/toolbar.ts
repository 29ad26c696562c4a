/** The toolbar: tools, brush size, what happens to older labels, zoom, and the slice of a stack. */
import { currentTool, ITool, TOOLS, ToolSetting } from '../canvas/tools';
import { region } from '../canvas/tools/region';
import { button, element, hide, setDisabled, setText, slider } from '../base/dom';
import { ChoiceSwitch } from './choice-switch';
import { HistoryStep } from '../../shared';
import { Move } from '../labels/patch-queue';
import { stepText } from '../base/steps';
import { findCommand, ILabellerView, keysOf, keystrokeText } from '../commands';
import { commandButton, titleWithKey } from '../commands/titles';
import { chooseScale } from '../canvas/tools/suggest';
import { ScaleChoice, SCALES } from '../state/suggestion-options';
import { BRUSH_MAX, Erases, Overlap, TOLERANCE_MAX, toleranceOf } from '../base/settings';
import { SliceBar } from './slice-bar';
import { StateWidget } from '../panel/state-widget';
import { trans } from '../base/translation';

/** The brush slider is logarithmic: each of its 100 steps multiplies the size by the same factor. */
const SIZE_STEPS = 100;
const SIZE_SPAN = Math.log(BRUSH_MAX);

export class Toolbar extends StateWidget {
  constructor(private readonly _view: ILabellerView) {
    super(_view.state, ['choice', 'session']);
    const { state, canvas } = _view;
    this.addClass('sambalab-toolbar');
    this.node.setAttribute('role', 'toolbar');
    this.node.setAttribute('aria-label', trans.__('Labelling tools'));
    this._tools = new Map(TOOLS.map(tool => [tool, this._tool(tool)]));
    this._size = slider({
      testid: 'sambalab-brush-size',
      label: trans.__('Size'),
      title: trans.__(
        'Diameter of the brush in image pixels (%1 and %2)',
        keyOf('shrink-brush'),
        keyOf('enlarge-brush')
      ),
      min: 0,
      max: SIZE_STEPS,
      format: step => trans.__('%1 px', Math.round(Math.exp((step / SIZE_STEPS) * SIZE_SPAN))),
      input: step => this._state.settings.set({ brushSize: Math.round(Math.exp((step / SIZE_STEPS) * SIZE_SPAN)) })
    });
    const difference = (percent: number) => {
      const value = state.session ? toleranceOf(state.session, percent) : 0;
      return `±${value.toLocaleString(undefined, { maximumSignificantDigits: 3 })}`;
    };
    this._fills = button({
      testid: 'sambalab-brush-fills',
      title: trans.__('Fill a stroke that comes back to its start'),
      icon: {
        svg: '<circle cx="8" cy="8" r="3.300" fill="currentColor" stroke="none"/><path d="M9.500 2.700A5.500 5.500 0 1 1 6.500 2.700"/>'
      },
      className: 'sambalab-brush-fills',
      run: () => state.settings.set({ brushFills: !state.settings.values.brushFills })
    });
    this._tolerance = slider({
      testid: 'sambalab-tolerance',
      label: trans.__('Tolerance'),
      title: trans.__('Greatest difference in grey from the pixel under the pointer'),
      min: 0,
      max: TOLERANCE_MAX,
      step: 0.5,
      format: difference,
      input: tolerance => state.settings.set({ tolerance })
    });
    this._scale = new ChoiceSwitch<ScaleChoice>({
      testid: 'sambalab-suggestion-scale',
      label: trans.__('Scale of the suggestions'),
      choices: (['small', 'medium', 'large', 'auto'] as const).map(value => ({
        value,
        text: scaleLetter(value),
        title: titleWithKey(findCommand(`choose-${value}-scale`))
      })),
      choose: scale => chooseScale(state, scale)
    });
    this._overlap = new ChoiceSwitch({
      testid: 'sambalab-overlap',
      label: trans.__('Where a new label overlaps older ones'),
      choices: [
        {
          value: 'keep',
          text: trans.__('Keep older'),
          title: trans.__('Keep older labels where new ones overlap them'),
          icon: 'shield'
        },
        {
          value: 'over',
          text: trans.__('Paint over'),
          title: trans.__('Paint over older labels'),
          icon: {
            svg: '<rect x="2.500" y="2.500" width="7.500" height="7.500" rx="1"/><rect x="6" y="6" width="7.500" height="7.500" rx="1" fill="currentColor"/>'
          }
        },
        {
          value: 'same',
          text: trans.__('Over one'),
          title: trans.__('Paint over one class only: the one on which the stroke begins, or unlabelled pixels'),
          icon: {
            svg: '<rect x="2.500" y="2.500" width="11" height="11" rx="1"/><path d="M8 2.500h4.500a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H8z" fill="currentColor"/>'
          }
        }
      ],
      choose: overlap => state.settings.set({ overlap })
    });
    this._corrects = button({
      testid: 'sambalab-end-correction',
      title: trans.__('The tools correct the segmentation; click to draw labels again'),
      text: trans.__('Correction'),
      className: 'sambalab-ends-mode',
      run: () => (state.corrects = false)
    });
    this._corrects.setAttribute('aria-pressed', 'true');
    this._erases = new ChoiceSwitch({
      testid: 'sambalab-erases',
      label: trans.__('What the eraser takes'),
      choices: [
        {
          value: 'all',
          text: trans.__('All classes'),
          title: trans.__('Erase labels of all classes'),
          icon: {
            svg: '<path d="M8 2 14 5.200 8 8.400 2 5.200zM2 8.200l6 3.200 6-3.200M2 11l6 3.200L14 11"/>'
          }
        },
        {
          value: 'current',
          text: trans.__('Current class'),
          title: trans.__('Erase labels of the current class only'),
          icon: { svg: '<path d="M8 4.800 14 8 8 11.200 2 8z" fill="currentColor"/>' }
        }
      ],
      choose: erases => state.settings.set({ erases })
    });
    const { _view: view } = this;
    this._region = commandButton('clear-region', view, {
      testid: 'sambalab-clear-region',
      icon: { svg: region.icon },
      text: trans.__('Region only'),
      className: 'sambalab-ends-mode'
    });
    this._region.setAttribute('aria-pressed', 'true');
    this._sliceBar = (view.state.parts?.slices ?? 1) > 1 ? new SliceBar(view) : null;
    const next = commandButton('go-to-next-region', view, {
      testid: 'sambalab-next-region',
      icon: 'target',
      text: trans.__('Where next'),
      className: 'sambalab-tool'
    });
    const group = (...children: Node[]) => element('div', { class: 'sambalab-group', role: 'group' }, ...children);
    this._undo = commandButton('undo', view, { testid: 'sambalab-undo', icon: 'undo' });
    this._redo = commandButton('redo', view, { testid: 'sambalab-redo', icon: 'redo' });
    this._zoom = element('span', { class: 'sambalab-zoom', 'data-testid': 'sambalab-zoom' });
    this._controls = {
      brushSize: this._size.node,
      brushFills: this._fills,
      tolerance: this._tolerance.node,
      scale: this._scale.node,
      overlap: this._overlap.node,
      erases: this._erases.node
    };
    this.node.append(
      group(...this._tools.values()),
      group(...Object.values(this._controls), this._corrects, this._region),
      group(this._undo, this._redo),
      group(next),
      ...(this._sliceBar ? [this._sliceBar.node] : []),
      group(
        commandButton('zoom-out', view, { testid: 'sambalab-zoom-out', icon: 'minus' }),
        this._zoom,
        commandButton('zoom-in', view, { testid: 'sambalab-zoom-in', icon: 'plus' }),
        commandButton('show-whole-image', view, { testid: 'sambalab-fit', icon: 'fit' }),
        commandButton('toggle-full-window', view, { testid: 'sambalab-full-window', icon: 'window' }),
        commandButton('show-keys', view, { testid: 'sambalab-keys', icon: 'keys' })
      )
    );
    this.node.lastElementChild!.classList.add('sambalab-end');
    canvas.navigation.zoomed.connect(this._onZoom, this);
    this.refresh();
    this._onZoom(canvas, canvas.view.scale);
  }

  private _tool({ name, title, icon: svg }: ITool): HTMLButtonElement {
    return commandButton(`take-${name}`, this._view, {
      testid: `sambalab-tool-${name}`,
      icon: { svg },
      text: title,
      className: 'sambalab-tool'
    });
  }

  override dispose(): void {
    this._sliceBar?.dispose();
    super.dispose();
  }

  protected override refresh(): void {
    const { values } = this._state.settings;
    const inUse = currentTool(this._state);
    for (const [tool, node] of this._tools) {
      node.setAttribute('aria-pressed', String(tool === inUse));
      const why = tool.unusable?.(this._state) ?? null;
      setDisabled(node, why !== null);
      node.title = why ?? titleWithKey(findCommand(`take-${tool.name}`));
    }
    this._size.set(Math.round((Math.log(values.brushSize) / SIZE_SPAN) * SIZE_STEPS));
    setText(this._size.node.lastElementChild!, trans.__('%1 px', values.brushSize));
    this._fills.setAttribute('aria-pressed', String(values.brushFills));
    this._tolerance.set(values.tolerance);
    const turned = SCALES[this._state.parts?.suggestions.turned ?? SCALES.length];
    this._scale.set(turned ?? this._state.suggestionOptions.values.scale);
    this._overlap.set(values.overlap);
    this._erases.set(values.erases);
    // The brush's size stays, so that the toolbar does not jump, unless another control takes its place.
    const heir = this._tools.get(inUse)!;
    const hasTolerance = inUse.settings.includes('tolerance');
    const hasScale = inUse.settings.includes('scale');
    hide(this._size.node, hasTolerance || hasScale, heir);
    hide(this._scale.node, !hasScale, heir);
    hide(this._tolerance.node, !hasTolerance, heir);
    hide(this._fills, !inUse.settings.includes('brushFills'), heir);
    // A correction lies over the whole segmentation: there is nothing older to keep. The button in place of the switch says so, and ends it.
    const { corrects } = this._state;
    hide(this._corrects, !corrects, heir);
    hide(this._overlap.node, corrects || !inUse.settings.includes('overlap'), heir);
    hide(this._erases.node, corrects || !inUse.settings.includes('erases'), heir);
    hide(this._region, !this._state.session?.region, heir);
    this._sliceBar?.refresh();
    this._setMove(this._undo, 'undo', this._state.session?.history.undo);
    this._setMove(this._redo, 'redo', this._state.session?.history.redo);
  }

  /** Show which step a button would undo or make again. */
  private _setMove(node: HTMLButtonElement, move: Move, step: HistoryStep | null | undefined): void {
    const command = findCommand(move);
    const prompt = move === 'undo' && Boolean(this._state.parts?.suggestions.held);
    const what = prompt ? trans.__('last prompt of the suggestion') : step && stepText(step);
    const text = what ? trans.__('%1: %2', command.label(), what) : command.label();
    setDisabled(node, !what);
    node.title = titleWithKey(command, text);
    node.setAttribute('aria-label', node.title);
  }

  private _onZoom(_: unknown, scale: number): void {
    const percent = scale * 100;
    setText(this._zoom, `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`);
  }

  private readonly _tools: ReadonlyMap<ITool, HTMLButtonElement>;
  private readonly _size: ReturnType<typeof slider>;
  private readonly _fills: HTMLButtonElement;
  private readonly _tolerance: ReturnType<typeof slider>;
  private readonly _scale: ChoiceSwitch<ScaleChoice>;
  private readonly _overlap: ChoiceSwitch<Overlap>;
  private readonly _erases: ChoiceSwitch<Erases>;
  private readonly _corrects: HTMLButtonElement;
  private readonly _region: HTMLButtonElement;
  private readonly _controls: Readonly<Record<ToolSetting, HTMLElement>>;
  private readonly _undo: HTMLButtonElement;
  private readonly _redo: HTMLButtonElement;
  private readonly _zoom: HTMLElement;
  private readonly _sliceBar: SliceBar | null;
}

/** The text on the button of a scale. */
function scaleLetter(scale: ScaleChoice): string {
  const letters: Record<ScaleChoice, string> = {
    small: trans.__('S'),
    medium: trans.__('M'),
    large: trans.__('L'),
    auto: trans.__('Auto')
  };
  return letters[scale];
}

function keyOf(command: string): string {
  const [key] = keysOf(findCommand(command));
  return key === undefined ? trans.__('no key') : keystrokeText(key);
}
