/** What a section of the side panel is. A section is a file `<name>-section.ts` and a line in `sections.ts`. */
import { Widget } from '@lumino/widgets';
import { LabellerState } from '../state/labeller-state';
import { InvalidFields } from './fields';

/** Where a section stands: above, always open; in the middle, folded; or below, in sight while the rest scrolls. */
export type SectionPlace = 'top' | 'middle' | 'bottom';

export interface ISectionOptions {
  state: LabellerState;
  /** Shared by the sections of one panel: a section reports its invalid fields here, the training section lists them. */
  invalid: InvalidFields;
}

/** A section as the registry lists it. */
export interface ISection {
  place: SectionPlace;
  create(options: ISectionOptions): Widget;
}
