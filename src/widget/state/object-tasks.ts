/** What SAM does with whole objects when the user asks: propose those like one, or all in view; carry one through a stack; draw one anew. */
import { LabelClass, Rect, Replaces, SessionState } from '../../shared';
import { Settings } from '../base/settings';
import { trans } from '../base/translation';
import { carriedText } from './carried-text';
import { Carrying } from './carrying';
import { Connection } from './connection';
import { holdObjectAt } from './object-at';
import { SessionParts } from './session-parts';
import { IPixel } from './suggestion';
import { Training } from './training';
import { isHidden, isWeak } from './weak-suggestions';

/** Tasks with objects in one labeller. */
export class ObjectTasks {
  constructor(private readonly _options: ObjectTasks.IOptions) {}

  /**
   * Propose what is like the suggestion that is shown or was accepted last: in what SAM sees there. Again: in the rest of the slice; then on all slices that
   * are worked on.
   */
  async findSimilar(): Promise<void> {
    const { parts, slice } = this._state;
    const { similar, suggestions, embedding } = parts ?? {};
    if (!parts || !similar || !suggestions || (similar.what === 'similar' && similar.searching !== null)) {
      return; // Escape ends a search
    }
    this._options.begin();
    // Without proposals, pointing at an object begins a new search.
    if (similar.next && !suggestions.held && (similar.count > 0 || !suggestions.current)) {
      const { next } = similar;
      suggestions.reject();
      const found = await similar.widen();
      if (parts === this._state.parts && found === 'unseen') {
        this._state.note(trans.__('SAM does not see this object in a window of its size; take another one like it.'));
      } else if (parts === this._state.parts && found === 0) {
        this._state.note(
          next === 'stack'
            ? trans.__('SAM finds no object like it on the other slices either.')
            : trans.__('SAM finds no other object like it on this slice.')
        );
      }
      return;
    }
    if (similar.what === 'similar' && similar.count > 0 && !suggestions.held) {
      this._state.note(
        trans.__('SAM has looked everywhere. Take what is proposed, or drop it, before you look for others.')
      );
      return;
    }
    const example = await suggestions.example();
    if (parts !== this._state.parts || slice !== this._state.slice) {
      return;
    }
    if (!example) {
      this._state.hint(trans.__('Accept an object first, or point at one: then all like it are proposed.'));
      return;
    }
    suggestions.reject();
    const labels = parts.labels.slice(slice);
    const { rows, columns } = parts.image;
    const { slice0, slice1 } = this._state.session?.region ?? { slice0: 0, slice1: parts.slices };
    const found = await similar.find(example, {
      slice,
      slices: Array.from({ length: slice1 - slice0 }, (_, i) => slice0 + i),
      seen: embedding?.decoder?.within ?? { row0: 0, row1: rows, column0: 0, column1: columns },
      labelled: ({ row, column }) => labels.at(row, column) !== 0
    });
    if (found !== null && similar.others === 0 && parts === this._state.parts) {
      this._state.note(trans.__('SAM finds no other object like it in what it sees here.'));
    }
  }

  /** Propose all objects in a part of the slice. */
  async findAll(view: Rect): Promise<void> {
    const { parts, slice } = this._state;
    const { decoder } = parts?.embedding ?? {};
    if (!parts || !decoder) {
      return;
    }
    const { rows, columns } = parts.image;
    const seen = decoder.within ?? { row0: 0, row1: rows, column0: 0, column1: columns };
    const inSeen = {
      row0: Math.max(view.row0, seen.row0),
      row1: Math.min(view.row1, seen.row1),
      column0: Math.max(view.column0, seen.column0),
      column1: Math.min(view.column1, seen.column1)
    };
    parts.suggestions.reject();
    const labels = parts.labels.slice(slice);
    const found =
      inSeen.row0 < inSeen.row1 && inSeen.column0 < inSeen.column1
        ? await parts.similar.findAll(
            decoder,
            slice,
            inSeen,
            ({ row, column }) => labels.at(row, column) !== 0,
            suggestion => !isWeak(suggestion, this._state.settings.values)
          )
        : 0;
    if (found === 0 && parts === this._state.parts) {
      this._state.note(trans.__('SAM is sure of no object without a label in view.'));
    }
  }

  /**
   * Carry the suggestion that is held or shown, or else the one that was accepted last on this slice, through the slices before and after, into the current
   * class and as one step. The switch of overlaps says which older labels there stay.
   */
  async carry(): Promise<void> {
    const { parts, currentClass, slice, session } = this._state;
    if (!parts || !currentClass || !session) {
      return;
    }
    if (parts.slices === 1) {
      this._state.note(
        trans.__(
          'This image has one slice; an object is carried through those of a stack. Shift+A proposes others like it here.'
        )
      );
      return;
    }
    if (this._state.corrects) {
      this._state.note(trans.__('An object is carried into labels: stop correcting the segmentation first.'));
      return;
    }
    const { suggestions } = parts;
    const { current, place, held } = suggestions;
    const isShown = place !== null && (!current || !isHidden(current, held !== null, this._state.settings.values));
    const suggestion = isShown ? await suggestions.accept(place) : (suggestions.accepted ?? null);
    if (!suggestion) {
      this._state.hint(trans.__('Accept an object first, or point at one: then it is carried through the slices.'));
      return;
    }
    const { id: classId } = currentClass;
    if (!this._state.replaces(classId, suggestion.at, slice)) {
      return; // it is locked, which the status line says
    }
    if (isShown) {
      suggestions.learn(suggestion, classId);
    }
    await this._options.attempt(async () => {
      await this._state.drained();
      const { row, column } = suggestion.at;
      const itself = isShown || parts.labels.slice(slice).at(row, column) !== classId;
      const { overlap } = this._state.settings.values;
      const free = session.classes.map(({ id }) => id).filter(id => !session.marks.locked.includes(id));
      const replaces = overlap === 'keep' ? [0] : [0, ...free];
      const one = overlap === 'same';
      const result = await this._state.carrying.start({ suggestion, slice, classId, replaces, one, itself });
      this._state.training.dismiss();
      this._state.note(
        result ? carriedText(result, slice) : trans.__('The object was not carried on: nothing was labelled.')
      );
    });
  }

  /** Let SAM draw the object of the segmentation, or of the labels, at the pointer anew, in its class: the suggestion is held. */
  async redraw(): Promise<void> {
    const { parts, slice } = this._state;
    const at = parts?.suggestions.pointer;
    if (!parts || !at) {
      this._state.hint(trans.__('Point at an object of the segmentation or of the labels first.'));
      return;
    }
    await this._options.attempt(async () => {
      await this._state.drained();
      const isCurrent = () => parts === this._state.parts && slice === this._state.slice && !this._state.isDisposed;
      const classId = await holdObjectAt(this._state.connection, slice, at, parts.suggestions, isCurrent);
      if (classId !== null) {
        this._state.setClass(classId);
      }
    });
  }

  private get _state(): ObjectTasks.IState {
    return this._options.state;
  }
}

/** The namespace for {@link ObjectTasks}. */
export namespace ObjectTasks {
  /** What the tasks need of the labeller. */
  export interface IState {
    readonly session: SessionState | null;
    readonly parts: SessionParts | null;
    readonly slice: number;
    readonly currentClass: LabelClass | null;
    readonly settings: Settings;
    readonly connection: Connection;
    readonly carrying: Carrying;
    readonly training: Training;
    readonly corrects: boolean;
    readonly isDisposed: boolean;
    replaces(classId: number, at: IPixel, slice: number): Replaces | null;
    drained(): Promise<void>;
    setClass(id: number): void;
    note(text: string): void;
    hint(text: string): void;
  }

  export interface IOptions {
    state: IState;
    /** Do something, and show the error if it fails. */
    attempt(action: () => Promise<void>): Promise<void>;
    /** Something begins: earlier errors and notices are shown no longer. */
    begin(): void;
  }
}
