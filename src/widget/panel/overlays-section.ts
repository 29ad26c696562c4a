/** Which of labels and segmentation are shown, how opaque they are, and whether they are filled or outlined. */
import { Shown } from '../base/settings';
import { element } from '../base/dom';
import { trans } from '../base/translation';
import { findCommand } from '../commands';
import { titleWithKey } from '../commands/titles';
import { opacitySlider, SelectField } from './fields';
import { outlineButton } from './outline-button';
import { ISection, ISectionOptions } from './section';
import { StateWidget } from './state-widget';

export const overlaysSection: ISection = { place: 'top', create: options => new OverlaysSection(options) };

class OverlaysSection extends StateWidget {
  constructor({ state }: ISectionOptions) {
    super(state, ['choice']);
    this.addClass('sambalab-overlays');
    const { settings } = state;
    this._shown = new SelectField({
      testid: 'sambalab-shown',
      label: trans.__('Show'),
      title: titleWithKey(findCommand('show-other-overlays'), trans.__('Which overlays are shown; hold H to hide all')),
      choices: [
        ['both', trans.__('Labels and segmentation')],
        ['labels', trans.__('Labels')],
        ['segmentation', trans.__('Segmentation')]
      ],
      choose: shown => settings.set({ shown: shown as Shown })
    });
    this._labels = opacitySlider({
      testid: 'sambalab-label-opacity',
      label: trans.__('Labels'),
      title: trans.__('Opacity of the labels; hold H to hide all overlays'),
      input: labelOpacity => settings.set({ labelOpacity })
    });
    this._labelOutline = outlineButton({
      testid: 'sambalab-label-outline',
      name: trans.__('Labels'),
      run: labelOutline => settings.set({ labelOutline })
    });
    this._segmentation = opacitySlider({
      testid: 'sambalab-segmentation-opacity',
      label: trans.__('Segmentation'),
      title: trans.__('Opacity of the segmentation; hold H to hide all overlays'),
      input: segmentationOpacity => settings.set({ segmentationOpacity })
    });
    this._segmentationOutline = outlineButton({
      testid: 'sambalab-segmentation-outline',
      name: trans.__('Segmentation'),
      run: segmentationOutline => settings.set({ segmentationOutline })
    });
    this.node.append(
      element('div', { class: 'sambalab-heading' }, element('span', {}, trans.__('Overlays'))),
      this._shown.node,
      overlayRow(this._labels.node, this._labelOutline.node),
      overlayRow(this._segmentation.node, this._segmentationOutline.node)
    );
    this.refresh();
  }

  protected override refresh(): void {
    const { shown, labelOpacity, segmentationOpacity, labelOutline, segmentationOutline } = this._state.settings.values;
    this._shown.set(shown);
    this._labels.set(labelOpacity);
    this._labelOutline.set(labelOutline);
    this._segmentation.set(segmentationOpacity);
    this._segmentationOutline.set(segmentationOutline);
  }

  private readonly _shown: SelectField;
  private readonly _labels: ReturnType<typeof opacitySlider>;
  private readonly _labelOutline: ReturnType<typeof outlineButton>;
  private readonly _segmentation: ReturnType<typeof opacitySlider>;
  private readonly _segmentationOutline: ReturnType<typeof outlineButton>;
}

/** The opacity of an overlay and the button for its outlines, in one line. */
export function overlayRow(...controls: HTMLElement[]): HTMLElement {
  return element('div', { class: 'sambalab-overlay-row' }, ...controls);
}
