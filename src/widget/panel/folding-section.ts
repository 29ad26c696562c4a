/** The base class of the sections in the middle of the panel, which are closed until the user opens them. */
import { Change } from '../state/change';
import { Fold, InvalidFields } from './fields';
import { ISectionOptions } from './section';
import { StateWidget } from './state-widget';

export abstract class FoldingSection extends StateWidget {
  constructor(options: FoldingSection.IOptions) {
    super(options.state, options.follows);
    this._fold = new Fold({ testid: options.testid, title: options.title });
    this._title = options.title;
    this._invalid = options.invalid;
    this._invalid.changed.connect(this._onInvalid, this);
    this.node.append(this._fold.node);
  }

  /** Tell the panel that a field of this section is invalid, or valid again. */
  protected readonly report = (field: object, invalid: boolean): void => {
    this._invalid.set(this._title, field, invalid);
  };

  /** Called when this section's fields become invalid, or valid again. */
  protected onInvalid(invalid: boolean): void {
    this._fold.invalid = invalid;
  }

  private _onInvalid(): void {
    this.onInvalid(this._invalid.sections.includes(this._title));
  }

  protected readonly _fold: Fold;
  private readonly _title: string;
  private readonly _invalid: InvalidFields;
}

/** The namespace for {@link FoldingSection}. */
export namespace FoldingSection {
  export interface IOptions extends ISectionOptions {
    testid: string;
    /** The heading; it also names the section in the training section's list of invalid fields. */
    title: string;
    /** The changes of the state after which the section is refreshed. */
    follows: readonly Change[];
  }
}
