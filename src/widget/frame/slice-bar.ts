/** The controls of a stack: the slider with marks of the slices that have labels, and what copies labels from slice to slice. */
import { Signal } from '@lumino/signaling';
import { IDisposable } from '@lumino/disposable';
import { button, element, setDisabled, slider } from '../base/dom';
import { trans } from '../base/translation';
import { findCommand, ILabellerView, keysOf, keystrokeText } from '../commands';
import { SliceDirection } from '../../shared';
import { commandButton, titleWithKey } from '../commands/titles';
import { ChoiceSwitch } from './choice-switch';
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
        'Slice of the stack, counted from 0 (%1 and %2, or Shift-wheel); with labels: %3 and %4',
        ...['previous-slice', 'next-slice', 'previous-labelled-slice', 'next-labelled-slice'].map(keyOf)
      ),
      min: 0,
      max: this._slices - 1,
      format: slice => trans.__('%1 / %2', slice, this._slices - 1),
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
    this._directions = parts!.isVolume ? directionSwitch(_view) : null;
    this.node = element(
      'div',
      { class: 'sambalab-group sambalab-slice-bar', role: 'group', 'aria-label': trans.__('Stack') },
      ...(this._directions ? [this._directions.node] : []),
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
    const { slice, direction } = this._view.state;
    this._slider.set(slice);
    this._directions?.set(direction);
    for (const [node, name] of [
      [this._copy, 'copy-labels-to-next-slice'],
      [this._fill, 'fill-between-slices']
    ] as const) {
      const command = findCommand(name);
      setDisabled(node, !command.enabled!(this._view));
      const title = titleWithKey(command);
      node.title = direction === 'xy' ? title : trans.__('%1: on slices in xy only', title);
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
    const where = first === last ? trans.__('Slice %1', first) : trans.__('Slices %1 to %2', first, last);
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

  private readonly _directions: ChoiceSwitch<SliceDirection> | null;
  private readonly _slices: number;
  private readonly _labelled: LabelledSlices;
  private readonly _slider: ReturnType<typeof slider>;
  private readonly _track: HTMLElement;
  private readonly _marks: HTMLElement;
  private readonly _copy: ReturnType<typeof button>;
  private readonly _fill: ReturnType<typeof button>;
  private _disposed = false;
}

/** The faces of a cube, of which one is filled: its front is a slice in xy. */
const CUBE = '<path d="M2.500 5.500h8v8h-8zM2.500 5.500l3-3h8l-3 3M10.500 13.500l3-3v-8"/>';
const FACES = { xy: 'M2.500 5.500h8v8h-8z', xz: 'M2.500 5.500l3-3h8l-3 3z', yz: 'M10.500 5.500l3-3v8l-3 3z' } as const;

/** The switch of the direction in which slices are taken from a volume. */
function directionSwitch({ state }: ILabellerView): ChoiceSwitch<SliceDirection> {
  const icon = (direction: SliceDirection) => ({
    svg: `${CUBE}<path d="${FACES[direction]}" fill="currentColor" stroke="none"/>`
  });
  const key = keyOf('turn-volume');
  return new ChoiceSwitch<SliceDirection>({
    testid: 'sambalab-direction',
    label: trans.__('Direction of the slices'),
    choices: [
      {
        value: 'xy',
        text: 'xy',
        title: trans.__('Slices in xy, along z: rows are y, columns x (%1 for the next direction)', key),
        icon: icon('xy')
      },
      {
        value: 'xz',
        text: 'xz',
        title: trans.__('Slices in xz, along y: rows are z, columns x (%1 for the next direction)', key),
        icon: icon('xz')
      },
      {
        value: 'yz',
        text: 'yz',
        title: trans.__('Slices in yz, along x: rows are z, columns y (%1 for the next direction)', key),
        icon: icon('yz')
      }
    ],
    choose: direction => state.setDirection(direction)
  });
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
