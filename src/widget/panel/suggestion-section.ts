/** How SAM's suggestions are changed in shape before they are shown and accepted. */
import { slider } from '../base/dom';
import { trans } from '../base/translation';
import { MASK_GROW_MAX } from '../../shared';
import { IMaskShape } from '../../sam';
import { CheckField } from './fields';
import { FoldingSection } from './folding-section';
import { ISection, ISectionOptions } from './section';

export const suggestionSection: ISection = { place: 'middle', create: options => new SuggestionSection(options) };

class SuggestionSection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({
      ...options,
      testid: 'sambalab-suggestion-section',
      title: trans.__('Suggestions'),
      follows: ['choice']
    });
    const { suggestionOptions } = options.state;
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
    this._grow = slider({
      testid: 'sambalab-suggestion-grow',
      label: trans.__('Grow'),
      title: trans.__('Grow the suggestion by so many pixels of the image, or shrink it'),
      min: -MASK_GROW_MAX,
      max: MASK_GROW_MAX,
      format: pixels => (pixels === 0 ? trans.__('0 px') : trans.__('%1 px', signed(pixels))),
      input: grow => suggestionOptions.set({ grow })
    });
    this._fold.body.append(this._connected.node, this._filled.node, this._smooth.node, this._grow.node);
    this.refresh();
  }

  protected override refresh(): void {
    const { values } = this._state.suggestionOptions;
    this._connected.set(values.connected);
    this._filled.set(values.filled);
    this._smooth.set(values.smooth);
    this._grow.set(values.grow);
    this._fold.value = summary(values);
  }

  private readonly _connected: CheckField;
  private readonly _filled: CheckField;
  private readonly _smooth: CheckField;
  private readonly _grow: ReturnType<typeof slider>;
}

/** What is changed, in a few words. */
function summary({ connected, filled, smooth, grow }: IMaskShape): string {
  return [
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
