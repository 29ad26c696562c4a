/** The controls of a stack: the slider with marks of the slices that have labels, and what copies labels from slice to slice. */
import { Signal } from '@lumino/signaling';
import { IDisposable } from '@lumino/disposable';
import { button, element, setDisabled, slider } from '../base/dom';
import { trans } from '../base/translation';
import { findCommand, ILabellerView, keysOf, keystrokeText } from '../commands';
import { commandButton } from '../commands/titles';
import { LabelledSlices } from '../state/labelled-slices';

export class SliceBar implements IDisposable {
  constructor(private readonly _view: ILabellerView) {
    const { parts } = _view.state;
    this._slices = parts!.slices;
    this._labelled = parts!.labelled;
    this._slider = slider({
      testid: 'sambalab-slice',
      label: trans.__('Slice'),
      title: trans.__(
        'Slice of the stack (%1 and %2, or Shift-wheel); with labels: %3 and %4',
        ...['previous-slice', 'next-slice', 'previous-labelled-slice', 'next-labelled-slice'].map(keyOf)
      ),
      min: 0,
      max: this._slices - 1,
      format: slice => trans.__('%1 of %2', slice + 1, this._slices),
      input: slice => _view.state.setSlice(slice)
    });
    const range = this._slider.node.querySelector('input')!;
    this._track = element('span', { class: 'sambalab-slice-track' });
    range.replaceWith(this._track);
    this._marks = element('span', { class: 'sambalab-slice-marks', 'data-testid': 'sambalab-slice-marks' });
    this._track.append(range, this._marks);
    this._copy = commandButton('copy-labels-to-next-slice', _view, {
      testid: 'sambalab-copy-slice',
      icon: {
        svg: '<path d="M2.500 2.500h7v7h-7z" fill="currentColor" fill-opacity=".35"/><path d="M6.500 11.500v2h7v-7h-2"/><path d="m11.500 2 2 2-2 2M13.500 4H11" />'
      }
    });
    this._fill = commandButton('fill-between-slices', _view, {
      testid: 'sambalab-fill-slices',
      icon: {
        svg: '<path d="M2.500 2.500h11v2.600h-11zM2.500 10.900h11v2.600h-11z" fill="currentColor" fill-opacity=".35"/><path d="M2.500 8h2M7 8h2M11.500 8h2"/>'
      }
    });
    this.node = element(
      'div',
      { class: 'sambalab-group', role: 'group', 'aria-label': trans.__('Stack') },
      this._slider.node,
      this._copy,
      this._fill
    );
    this._labelled.changed.connect(this._onLabelled, this);
    this._onLabelled();
  }

  readonly node: HTMLElement;

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Show the slice, and which commands can be run. */
  refresh(): void {
    this._slider.set(this._view.state.slice);
    for (const [node, name] of [
      [this._copy, 'copy-labels-to-next-slice'],
      [this._fill, 'fill-between-slices']
    ] as const) {
      setDisabled(node, !findCommand(name).enabled!(this._view));
    }
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  private _onLabelled(): void {
    const { labelled, interpolated } = this._labelled;
    this._marks.replaceChildren(
      ...runs(labelled).map(run => this._mark(run, 'labelled', trans.__('labels'))),
      ...runs(interpolated).map(run => this._mark(run, 'interpolated', trans.__('interpolated labels')))
    );
    this.refresh();
  }

  /** The mark of slices in a row. A click goes to the nearest of them. */
  private _mark([first, last]: readonly [number, number], kind: string, what: string): HTMLElement {
    const where = first === last ? trans.__('Slice %1', first + 1) : trans.__('Slices %1 to %2', first + 1, last + 1);
    const mark = element('span', {
      class: `sambalab-slice-mark sambalab-${kind}`,
      title: trans.__('%1: %2', where, what),
      'data-first': String(first),
      'data-last': String(last)
    });
    const share = (slice: number) => (slice / (this._slices - 1)) * 100;
    mark.style.left = `${share(first)}%`;
    mark.style.width = `calc(${share(last) - share(first)}% + 3px)`;
    mark.addEventListener('click', event => {
      event.preventDefault();
      const { slice } = this._view.state;
      this._view.state.setSlice(Math.min(Math.max(slice, first), last));
    });
    return mark;
  }

  private readonly _slices: number;
  private readonly _labelled: LabelledSlices;
  private readonly _slider: ReturnType<typeof slider>;
  private readonly _track: HTMLElement;
  private readonly _marks: HTMLElement;
  private readonly _copy: ReturnType<typeof button>;
  private readonly _fill: ReturnType<typeof button>;
  private _disposed = false;
}

/** Numbers in order, as first and last of each run. */
function runs(slices: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const slice of slices) {
    const last = found[found.length - 1];
    if (last && last[1] === slice - 1) {
      last[1] = slice;
    } else {
      found.push([slice, slice]);
    }
  }
  return found;
}

function keyOf(command: string): string {
  const [key] = keysOf(findCommand(command));
  return key === undefined ? trans.__('no key') : keystrokeText(key);
}
