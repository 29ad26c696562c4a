/** The interface of the side panel's sections. A section is a file `<name>-section.ts` and a line in `sections.ts`. */
import { Widget } from '@lumino/widgets';
import { LabellerState } from '../state/labeller-state';
import { InvalidFields } from './fields';

/** The place of a section: the top, always open; the middle, closed at first; or the bottom, in sight while the rest scrolls. */
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
