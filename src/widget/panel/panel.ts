/** The side panel: classes, opacities, scores, uncertainty, features, their preview, trees, training, the classifier's files. */
import { Panel } from '@lumino/widgets';
import { ClassList } from './class-list';
import { ClassifierSection } from './classifier-section';
import { element, slider } from '../base/dom';
import { FeaturesSection } from './features-section';
import { Mistakes } from './fields';
import { ForestSection } from './forest-section';
import { LabellerState } from '../state/labeller-state';
import { PreviewSection } from './preview-section';
import { ScoresSection } from './scores-section';
import { StateWidget } from './state-widget';
import { TrainingControls } from './training-controls';
import { trans } from '../base/translation';
import { UncertaintySection } from './uncertainty-section';

export class SidePanel extends Panel {
  constructor(state: LabellerState) {
    super();
    this.addClass('sambalab-panel');
    this.addWidget(new ClassList(state));
    this.addWidget(new OpacitySliders(state));
    const mistakes = new Mistakes();
    const choice = new Panel();
    choice.addClass('sambalab-choice');
    choice.addWidget(new ScoresSection(state));
    choice.addWidget(new UncertaintySection(state));
    choice.addWidget(new FeaturesSection(state, mistakes));
    choice.addWidget(new PreviewSection(state));
    choice.addWidget(new ForestSection(state, mistakes));
    choice.addWidget(new ClassifierSection(state));
    this.addWidget(choice);
    this.addWidget(new TrainingControls(state, mistakes));
  }
}

class OpacitySliders extends StateWidget {
  constructor(state: LabellerState) {
    super(state, ['choice']);
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
      input: value => state.settings.set({ labelOpacity: value / 100 })
    });
    this._segmentation = slider({
      testid: 'sambalab-segmentation-opacity',
      label: trans.__('Segmentation'),
      title: trans.__('Opacity of the segmentation; hold H to hide all overlays'),
      min: 0,
      max: 100,
      step: 5,
      format: percent,
      input: value => state.settings.set({ segmentationOpacity: value / 100 })
    });
    this.node.append(
      element('div', { class: 'sambalab-heading' }, element('span', {}, trans.__('Opacity'))),
      this._labels.node,
      this._segmentation.node
    );
    this.refresh();
  }

  protected override refresh(): void {
    const { labelOpacity, segmentationOpacity } = this._state.settings.values;
    this._labels.set(Math.round(labelOpacity * 100));
    this._segmentation.set(Math.round(segmentationOpacity * 100));
  }

  private readonly _labels: ReturnType<typeof slider>;
  private readonly _segmentation: ReturnType<typeof slider>;
}
