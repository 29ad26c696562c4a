/** The side panel: classes, opacities, training. */
import { Panel, Widget } from '@lumino/widgets';
import { ClassList } from './class-list';
import { button, element, setText, slider } from './dom';
import { Change, LabellerState } from './model';
import { trans } from './translation';

export class SidePanel extends Panel {
  constructor(state: LabellerState) {
    super();
    this.addClass('sambalab-panel');
    this.addWidget(new ClassList(state));
    this.addWidget(new OpacitySliders(state));
    this.addWidget(new TrainingControls(state));
  }
}

class OpacitySliders extends Widget {
  constructor(private readonly _state: LabellerState) {
    super();
    this.addClass('sambalab-opacities');
    const percent = (value: number) => `${value} %`;
    this._labels = slider({
      testid: 'sambalab-label-opacity',
      label: trans.__('Labels'),
      title: trans.__('Opacity of the labels; hold H to hide all overlays'),
      min: 0,
      max: 100,
      step: 5,
      format: percent,
      input: value => _state.settings.set({ labelOpacity: value / 100 })
    });
    this._segmentation = slider({
      testid: 'sambalab-segmentation-opacity',
      label: trans.__('Segmentation'),
      title: trans.__('Opacity of the segmentation; hold H to hide all overlays'),
      min: 0,
      max: 100,
      step: 5,
      format: percent,
      input: value => _state.settings.set({ segmentationOpacity: value / 100 })
    });
    this.node.append(
      element('div', { class: 'sambalab-heading' }, element('span', {}, trans.__('Opacity'))),
      this._labels.node,
      this._segmentation.node
    );
    _state.changed.connect(this._onChanged, this);
    this._onChanged(_state, 'choice');
  }

  override dispose(): void {
    this._state.changed.disconnect(this._onChanged, this);
    super.dispose();
  }

  private _onChanged(_: LabellerState, change: Change): void {
    if (change === 'choice') {
      this._labels.set(Math.round(this._state.settings.values.labelOpacity * 100));
      this._segmentation.set(Math.round(this._state.settings.values.segmentationOpacity * 100));
    }
  }

  private readonly _labels: ReturnType<typeof slider>;
  private readonly _segmentation: ReturnType<typeof slider>;
}

class TrainingControls extends Widget {
  constructor(private readonly _state: LabellerState) {
    super();
    this.addClass('sambalab-training');
    this._train = button({
      testid: 'sambalab-train',
      title: trans.__('Learn from the labels and segment the image'),
      icon: 'train',
      text: trans.__('Train'),
      className: 'sambalab-primary',
      run: () => void _state.train()
    });
    this._cancel = button({
      testid: 'sambalab-cancel',
      title: trans.__('Cancel the training'),
      icon: 'stop',
      text: trans.__('Cancel'),
      run: () => void _state.cancelTraining()
    });
    this._bar = element('div', {
      class: 'sambalab-progress',
      role: 'progressbar',
      'aria-label': trans.__('Training'),
      'aria-valuemin': '0',
      'aria-valuemax': '100',
      'data-testid': 'sambalab-progress'
    });
    this._bar.append(element('div', {}));
    this._text = element('span', { role: 'status', 'data-testid': 'sambalab-training-note' });
    this._dismiss = button({
      testid: 'sambalab-training-dismiss',
      title: trans.__('Dismiss'),
      icon: 'close',
      run: () => _state.training.dismiss()
    });
    this._note = element('div', { class: 'sambalab-note' }, this._text, this._dismiss);
    this.node.append(
      element('div', { class: 'sambalab-training-row' }, this._train, this._cancel),
      this._bar,
      this._note
    );
    _state.changed.connect(this._onChanged, this);
    this._update();
  }

  override dispose(): void {
    this._state.changed.disconnect(this._onChanged, this);
    super.dispose();
  }

  private _onChanged(_: LabellerState, change: Change): void {
    if (change === 'status' || change === 'session') {
      this._update();
    }
  }

  private _update(): void {
    const { session, training, connection } = this._state;
    const state = training.state;
    const running = state.state === 'running';
    this._train.disabled = running || !session?.imageReady || connection.state.state !== 'connected';
    this._cancel.hidden = !running;
    this._cancel.title =
      running && !state.own
        ? trans.__('Cancel this training, which was begun elsewhere')
        : trans.__('Cancel the training');
    this._bar.hidden = !running;
    if (running) {
      const percent = state.fraction === null ? null : Math.round(state.fraction * 100);
      this._bar.classList.toggle('sambalab-indeterminate', percent === null);
      if (percent === null) {
        this._bar.removeAttribute('aria-valuenow');
      } else {
        this._bar.setAttribute('aria-valuenow', String(percent));
      }
      (this._bar.firstElementChild as HTMLElement).style.width = percent === null ? '' : `${percent}%`;
    }
    const trained = session?.segmentation;
    let note = '';
    const failed = state.state === 'failed';
    if (failed) {
      note = state.message;
    } else if (!running && trained) {
      const { oobScore, labelsVersion } = trained.classifier;
      note =
        oobScore === null
          ? trans.__('Trained on %1 pixels.', trained.classifier.samples.toLocaleString())
          : trans.__('Out-of-bag score %1 %', (oobScore * 100).toFixed(1));
      if (labelsVersion !== session.labels.version) {
        note += ` · ${trans.__('labels changed since')}`;
      }
    }
    setText(this._text, note);
    this._note.dataset['kind'] = failed ? 'error' : 'plain';
    this._dismiss.hidden = !failed;
    this._note.hidden = note === '';
  }

  private readonly _train: HTMLButtonElement;
  private readonly _cancel: HTMLButtonElement;
  private readonly _bar: HTMLElement;
  private readonly _note: HTMLElement;
  private readonly _text: HTMLElement;
  private readonly _dismiss: HTMLButtonElement;
}
