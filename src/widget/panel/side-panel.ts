/** The panel beside the image, which lays out the registered sections. */
import { Panel } from '@lumino/widgets';
import { LabellerState } from '../state/labeller-state';
import { InvalidFields } from './fields';
import { SectionPlace } from './section';
import { SECTIONS } from './sections';

export class SidePanel extends Panel {
  constructor(state: LabellerState) {
    super();
    this.addClass('sambalab-panel');
    const invalid = new InvalidFields();
    const add = (panel: Panel, place: SectionPlace) =>
      SECTIONS.filter(section => section.place === place).forEach(section =>
        panel.addWidget(section.create({ state, invalid }))
      );
    const middle = new Panel();
    middle.addClass('sambalab-choice');
    add(this, 'top');
    add(middle, 'middle');
    this.addWidget(middle);
    add(this, 'bottom');
  }
}
