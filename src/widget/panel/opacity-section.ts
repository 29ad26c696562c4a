/** Sets the opacity of the labels and of the segmentation. */
import { element } from '../base/dom';
import { trans } from '../base/translation';
import { opacitySlider } from './fields';
import { ISection, ISectionOptions } from './section';
import { StateWidget } from './state-widget';

export const opacitySection: ISection = { place: 'top', create: options => new OpacitySection(options) };

class OpacitySection extends StateWidget {
  constructor({ state }: ISectionOptions) {
    super(state, ['choice']);
    this.addClass('sambalab-opacities');
    const { settings } = state;
    this._labels = opacitySlider({
      testid: 'sambalab-label-opacity',
      label: trans.__('Labels'),
      title: trans.__('Opacity of the labels; hold H to hide all overlays'),
      input: labelOpacity => settings.set({ labelOpacity })
    });
    this._segmentation = opacitySlider({
      testid: 'sambalab-segmentation-opacity',
      label: trans.__('Segmentation'),
      title: trans.__('Opacity of the segmentation; hold H to hide all overlays'),
      input: segmentationOpacity => settings.set({ segmentationOpacity })
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
    this._labels.set(labelOpacity);
    this._segmentation.set(segmentationOpacity);
  }

  private readonly _labels: ReturnType<typeof opacitySlider>;
  private readonly _segmentation: ReturnType<typeof opacitySlider>;
}
