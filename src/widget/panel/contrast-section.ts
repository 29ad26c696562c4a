/** Sets how the image is shown: range of grey values over the histogram, gamma, inverse, colour channels. */
import { button, element, slider } from '../base/dom';
import { trans } from '../base/translation';
import { ImageDisplay } from '../state/image-display';
import { shade, valueText } from '../tiles/display-map';
import { CheckField, Note, SelectField, TextField } from './fields';
import { FoldingSection } from './folding-section';
import { ISection, ISectionOptions } from './section';

export const contrastSection: ISection = { place: 'middle', create: options => new ContrastSection(options) };

/** Steps of a handle, unless the values have fewer. */
const STEPS = 1000;
/** Size of the histogram's drawing; it is stretched to the panel's width. */
const WIDTH = 256;
const HEIGHT = 64;

export class ContrastSection extends FoldingSection {
  constructor(options: ISectionOptions) {
    super({
      ...options,
      testid: 'sambalab-contrast-section',
      title: trans.__('Contrast'),
      follows: ['display', 'session']
    });
    this._svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this._svg.setAttribute('preserveAspectRatio', 'none');
    this._svg.setAttribute('aria-hidden', 'true');
    this._low = this._handle('low', trans.__('Value shown as black'));
    this._high = this._handle('high', trans.__('Value shown as white'));
    const box = element(
      'div',
      { class: 'sambalab-histogram', 'data-testid': 'sambalab-histogram' },
      this._low,
      this._high
    );
    box.prepend(this._svg);
    this._cut = new SelectField({
      testid: 'sambalab-contrast-cut',
      label: trans.__('Range'),
      title: trans.__('The values from black to white'),
      choices: [
        ['auto', trans.__('Automatic')],
        ['0', trans.__('All values')],
        ...['0.1', '0.5', '1', '2', '5'].map(
          percent => [percent, trans.__('Without %1 % at each end', percent)] as const
        )
      ],
      choose: value => this._choose(value)
    });
    this._from = this._field(
      'low',
      trans.__('Black'),
      trans.__('The value that is shown as black, or as white if inverted')
    );
    this._to = this._field(
      'high',
      trans.__('White'),
      trans.__('The value that is shown as white, or as black if inverted')
    );
    this._gamma = slider({
      testid: 'sambalab-gamma',
      label: trans.__('Gamma'),
      title: trans.__('Below 1 brightens dark areas, above 1 darkens them'),
      min: -100,
      max: 100,
      step: 2,
      format: step => gammaOf(step).toFixed(2),
      input: step => this._display?.set({ gamma: gammaOf(step) })
    });
    this._inverse = new CheckField({
      testid: 'sambalab-inverse',
      label: trans.__('Inverse'),
      title: trans.__('Show dark as bright'),
      choose: inverse => this._display?.set({ inverse })
    });
    this._channels = [trans.__('Red'), trans.__('Green'), trans.__('Blue')].map((label, channel) =>
      this._channel(label, channel)
    );
    const row = (...nodes: Node[]) => element('div', { class: 'sambalab-contrast-row' }, ...nodes);
    this._channelRow = row(...this._channels.map(({ node }) => node));
    this._fold.body.append(
      box,
      this._cut.node,
      row(this._from.node, this._to.node),
      this._gamma.node,
      this._inverse.node,
      this._channelRow,
      element(
        'div',
        { class: 'sambalab-button-row' },
        button({
          testid: 'sambalab-contrast-auto',
          title: trans.__('Set the range automatically'),
          text: trans.__('Auto'),
          className: 'sambalab-outlined',
          run: () => this._choose('auto')
        }),
        button({
          testid: 'sambalab-contrast-reset',
          title: trans.__('Reset range, gamma, inverse and channels'),
          text: trans.__('Reset'),
          className: 'sambalab-outlined',
          run: () => {
            this._display?.reset();
            this._discard();
          }
        })
      ),
      this._note.node
    );
    this._fold.node.addEventListener('toggle', () => this.refresh());
    this.refresh();
  }

  protected override refresh(): void {
    const display = this._display;
    if (!display) {
      return;
    }
    this._fold.value = display.plain ? '' : trans.__('changed');
    const { histogram, values, problem } = display;
    if (this._fold.node.open && this._state.session?.imageReady) {
      void display.loadHistogram();
    }
    const { low, high } = histogram ?? display.usual;
    const whole = !display.dtype.startsWith('float');
    const steps = whole ? Math.max(1, Math.min(STEPS, Math.round(high - low))) : STEPS;
    for (const [end, node] of [
      ['low', this._low],
      ['high', this._high]
    ] as const) {
      node.max = String(steps);
      node.value = String(Math.round(((values[end] - low) / (high - low)) * steps));
      node.setAttribute('aria-valuetext', valueText(values[end]));
    }
    this._from.set(valueText(values.low));
    this._to.set(valueText(values.high));
    const cut = histogram?.cuts.find(one => one.low === values.low && one.high === values.high);
    this._cut.set(display.auto ? 'auto' : cut ? String(cut.percent) : null, trans.__('By hand'));
    this._gamma.set(Math.round(Math.log10(values.gamma) * 100));
    this._inverse.set(values.inverse);
    this._channelRow.hidden = display.channels === 1;
    this._channels.forEach((field, channel) => field.set(values.channels[channel]!));
    this._note.set(
      problem ?? trans.__('SAM sees the same contrast; training uses the image’s own values.'),
      problem ? 'error' : 'plain'
    );
    this._draw(display);
  }

  private get _display(): ImageDisplay | null {
    return this._state.parts?.display ?? null;
  }

  /** Discard numbers that are typed and wrong. */
  private _discard(): void {
    this._from.reset();
    this._to.reset();
  }

  private _choose(value: string): void {
    this._discard();
    const display = this._display;
    const cut = display?.histogram?.cuts.find(({ percent }) => String(percent) === value);
    if (value === 'auto') {
      display?.set(display.usual);
    } else if (cut) {
      display?.set({ low: cut.low, high: cut.high });
    }
  }

  /** One end of the range, as a slider over the histogram. */
  private _handle(end: 'low' | 'high', label: string): HTMLInputElement {
    const node = element('input', {
      type: 'range',
      min: '0',
      step: '1',
      class: `sambalab-handle sambalab-handle-${end}`,
      'aria-label': label,
      title: label,
      'data-testid': `sambalab-contrast-${end}`
    });
    node.addEventListener('input', () => {
      const display = this._display;
      if (!display) {
        return;
      }
      const { low, high } = display.histogram ?? display.usual;
      const step = (high - low) / Number(node.max);
      const value = low + Number(node.value) * step;
      const { values } = display;
      display.set(
        end === 'low' ? { low: Math.min(value, values.high - step) } : { high: Math.max(value, values.low + step) }
      );
      this.refresh(); // the handle goes back if it passed the other one
    });
    return node;
  }

  private _field(end: 'low' | 'high', label: string, title: string): TextField {
    return new TextField({
      testid: `sambalab-contrast-${end}-value`,
      label,
      title,
      apply: text => {
        const value = Number(text.trim().replace(',', '.'));
        const { low, high } = this._display?.values ?? { low: 0, high: 1 };
        if (text.trim() === '' || !Number.isFinite(value)) {
          throw new Error(trans.__('“%1”; a number will do.', text));
        }
        if (end === 'low' ? value >= high : value <= low) {
          throw new Error(
            end === 'low'
              ? trans.__('%1 is not below %2, which is shown as white.', text, valueText(high))
              : trans.__('%1 is not above %2, which is shown as black.', text, valueText(low))
          );
        }
        this._display?.set({ [end]: value });
      },
      problem: reason => (reason instanceof Error ? reason.message : String(reason)),
      // A wrong contrast does not keep anyone from training.
      report: () => undefined
    });
  }

  private _channel(label: string, channel: number): CheckField {
    const field = new CheckField({
      testid: `sambalab-channel-${channel}`,
      label,
      title: trans.__('Show this channel; one alone is shown in grey'),
      choose: shown => {
        const display = this._display;
        const channels = display?.values.channels.map((now, i) => (i === channel ? shown : now));
        display?.set({ channels: channels as [boolean, boolean, boolean] });
        field.set(display?.values.channels[channel] ?? true); // the last one stays
      }
    });
    return field;
  }

  /** The counts as bars, by their square roots, and over them the curve from values to shades. */
  private _draw(display: ImageDisplay): void {
    const { histogram, values } = display;
    const { low, high } = histogram ?? display.usual;
    const paths: string[] = [];
    const most = Math.max(1, ...(histogram?.counts.flat() ?? []));
    for (const [channel, counts] of (histogram?.counts ?? []).entries()) {
      const width = WIDTH / counts.length;
      const bars = counts.map((count, bin) => {
        const y = HEIGHT * (1 - Math.sqrt(count / most));
        return `V${y.toFixed(1)}H${((bin + 1) * width).toFixed(1)}`;
      });
      const name = histogram!.counts.length === 1 ? 'grey' : ['red', 'green', 'blue'][channel];
      paths.push(`<path class="sambalab-bars sambalab-bars-${name}" d="M0 ${HEIGHT}${bars.join('')}V${HEIGHT}z"/>`);
    }
    const curve = Array.from({ length: 65 }, (_, i) => {
      const value = low + ((high - low) * i) / 64;
      return `${((WIDTH * i) / 64).toFixed(1)} ${(HEIGHT * (1 - shade(value, values) / 255)).toFixed(1)}`;
    });
    paths.push(`<path class="sambalab-curve" d="M${curve.join('L')}"/>`);
    const drawn = paths.join('');
    if (drawn !== this._drawn) {
      this._drawn = drawn;
      this._svg.innerHTML = drawn;
    }
  }

  private readonly _svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  private readonly _low: HTMLInputElement;
  private readonly _high: HTMLInputElement;
  private readonly _cut: SelectField;
  private readonly _from: TextField;
  private readonly _to: TextField;
  private readonly _gamma: ReturnType<typeof slider>;
  private readonly _inverse: CheckField;
  private readonly _channels: CheckField[];
  private readonly _channelRow: HTMLElement;
  private readonly _note = new Note({ testid: 'sambalab-contrast-note' });
  private _drawn = '';
}

/** Gamma of a step of its slider, from 0.1 to 10. */
function gammaOf(step: number): number {
  return Math.round(10 ** (step / 100) * 100) / 100;
}
