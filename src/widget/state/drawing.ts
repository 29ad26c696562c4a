/** What the tools draw on and what they may change; and clicks that become masks later, carried out in their order. */
import { BridgeError, LabelClass, Marks, Params, Replaces, SessionState, SliceDirection } from '../../shared';
import { Settings, toleranceOf } from '../base/settings';
import { trans } from '../base/translation';
import { LabelStore } from '../labels/label-store';
import { decodeMask, encodeMask, IMaskedPatch } from '../labels/patches';
import { IMaskTile } from '../labels/raster';
import { absenceText } from './absence-text';
import { mayChange } from './class-rules';
import { Connection } from './connection';
import { SessionParts } from './session-parts';
import { ITakenObjects } from './similar-objects';
import { IPixel } from './suggestion';
import { isHidden } from './weak-suggestions';

/** The requests that change the correction as a whole. */
export type CorrectionMethod = 'correction.clean' | 'correction.use' | 'correction.clear';

/** Drawing in one labeller. */
export class Drawing {
  constructor(private readonly _options: Drawing.IOptions) {}

  /** Resolves when all clicks so far have been carried out. */
  get clicks(): Promise<void> {
    return this._clicks;
  }

  /**
   * The labels that a stroke of this class, or of the eraser (0), may change if it begins on this pixel of a slice; null if it may not change any,
   * because a class is locked, which the status line then says. A hidden class that is drawn is shown again.
   */
  replaces(classId: number, { row, column }: IPixel, slice: number): Replaces | null {
    const { session, currentClass, settings, parts } = this._state;
    if (!session || !currentClass) {
      return null;
    }
    const label = parts?.labels.slice(slice).at(row, column) ?? 0;
    const { erases } = settings.values;
    // The correction is painted over; the sidecar knows the segmentation below, whose locked classes stay.
    const overlap = this.corrects ? 'over' : settings.values.overlap;
    const drawing = {
      classId,
      current: currentClass.id,
      label,
      overlap,
      erases: this.corrects ? 'all' : erases
    } as const;
    const may = mayChange(drawing, session.classes, session.marks);
    if (may !== 'all' && 'locked' in may) {
      const name = session.classes.find(({ id }) => id === may.locked)?.name ?? '';
      this._state.note(
        this.corrects
          ? trans.__('%1 is locked. Unlock it in the list of classes to correct it.', name)
          : trans.__('%1 is locked. Unlock it in the list of classes to change its labels.', name)
      );
      return null;
    }
    if (session.marks.hidden.includes(classId)) {
      void this._state.mark('hidden', classId, false);
    }
    return may;
  }

  /** Whether the tools draw on the segmentation instead of the labels: only while there is one. */
  get corrects(): boolean {
    return this._corrects && Boolean(this._state.session?.segmentation);
  }

  set corrects(corrects: boolean) {
    this._corrects = corrects;
  }

  /** Clean, use or clear the correction, after all clicks and strokes so far. */
  async correct<M extends CorrectionMethod>(method: M, params: Omit<Params<M>, 'session'>): Promise<void> {
    await this._clicks;
    const { parts, connection } = this._state;
    await parts?.labels.queue.drained();
    try {
      await connection.request(method, { session: connection.session, ...params } as Params<M>);
    } catch (reason) {
      this._options.failed(BridgeError.from(reason));
    }
  }

  /** What the tools draw on. */
  get drawnOn(): LabelStore | undefined {
    const { parts } = this._state;
    return this.corrects ? parts?.correction : parts?.labels;
  }

  /** Accept the suggestion at a pixel into the current class. Clicks are carried out in order. */
  accept(at: IPixel): Promise<void> {
    const { parts, currentClass: current, slice } = this._state;
    if (!parts || !current) {
      return Promise.resolve();
    }
    const replaces = this.replaces(current.id, at, slice);
    if (!replaces) {
      return Promise.resolve();
    }
    const made = { provenance: 'sam', tool: 'suggestion' } as const;
    const { settings } = this._state;
    const held = parts.suggestions.held !== null;
    const tiles = parts.suggestions.accept(at).then(suggestion => {
      if (suggestion && isHidden(suggestion, held, settings.values)) {
        this._state.note(
          trans.__('SAM is not sure of its suggestion here, so it is hidden and not accepted. Shift-click to hold it.')
        );
        return undefined;
      }
      const { wasUnfit } = parts.suggestions;
      if (!suggestion && wasUnfit) {
        this._state.hint(absenceText(wasUnfit));
      }
      if (suggestion) {
        parts.suggestions.learn(suggestion, current.id);
      }
      return suggestion?.tiles();
    });
    return this._inOrder(tiles, { slice, classId: current.id, replaces, made });
  }

  /** Label all objects that are proposed, on all slices, with the current class, as one step. If that fails they are proposed again. */
  acceptSimilar(): Promise<void> {
    const { parts, currentClass: current, slice: shown, connection } = this._state;
    const slices = parts?.similar.slices ?? [];
    const slice = slices.includes(shown) ? shown : slices[0];
    if (!parts || !current || slice === undefined) {
      return Promise.resolve();
    }
    if (parts.similar.reshaping) {
      return parts.similar.reshaping.then(() => this.acceptSimilar()); // what is taken is what is shown
    }
    if (slices.length > 1 && this.corrects) {
      this._state.note(
        trans.__('Objects on several slices become labels: stop correcting the segmentation, then press Enter.')
      );
      return Promise.resolve();
    }
    const replaces = this.replaces(current.id, parts.similar.on(slice)!.objects[0]!.at, slice);
    if (!replaces) {
      return Promise.resolve();
    }
    const made = { provenance: 'sam', tool: 'suggestion' } as const;
    const taken = parts.similar.take();
    if (taken.length === 1) {
      const [{ tiles }] = taken as [ITakenObjects];
      return this._inOrder(Promise.resolve(tiles), { slice, classId: current.id, replaces, made });
    }
    const count = taken.reduce((sum, { objects }) => sum + objects.length, 0);
    const paint = async () => {
      await parts.labels.queue.drained();
      const tiles = taken.flatMap(({ slice, tiles }) => tiles.map(tile => ({ slice, ...tile })));
      const named = Uint32Array.from(tiles.flatMap(({ slice, row, column }) => [slice, row, column]));
      const { result } = await connection.request(
        'labels.paint',
        { session: connection.session, class: current.id, replaces, made },
        { buffers: [new Uint8Array(named.buffer), ...tiles.map(({ bits }) => encodeMask(bits))] }
      );
      this._state.note(
        result.changed === 0
          ? trans.__('Nothing changed: older labels are kept.')
          : trans.__('%1 objects on %2 slices are labelled.', count, taken.length)
      );
    };
    this._clicks = this._clicks.then(paint).catch(reason => {
      parts.similar.giveBack(taken);
      this._options.failed(BridgeError.from(reason));
    });
    return this._clicks;
  }

  /** Label, or erase, the pixels that are like this one in grey and connected with it. Clicks are carried out in order. */
  fill(at: IPixel, erases: boolean): Promise<void> {
    const { session, slice, direction, currentClass, connection, settings } = this._state;
    const classId = erases ? 0 : (currentClass?.id ?? 0);
    const replaces = this.replaces(classId, at, slice);
    if (!session || !replaces) {
      return Promise.resolve();
    }
    const params = {
      session: connection.session,
      direction,
      slice,
      ...at,
      tolerance: toleranceOf(session, settings.values.tolerance)
    };
    const tiles = connection
      .request('image.flood', params)
      .then(({ result, buffers }) => result.tiles.map((tile, i) => ({ ...tile, bits: decodeMask(buffers[i]!) })));
    return this._inOrder(tiles, { slice, classId, replaces, made: { provenance: 'hand', tool: 'flood' } });
  }

  /** Draw a mask when it is there, after all clicks before it. */
  private _inOrder(mask: Promise<IMaskTile[] | undefined>, patch: Omit<IMaskedPatch, 'tiles'>): Promise<void> {
    const { parts } = this._state;
    const target = this.drawnOn;
    this._clicks = Promise.all([mask, this._clicks])
      .then(([tiles]) => {
        if (tiles && target && parts === this._state.parts) {
          target.commit({ ...patch, tiles });
        }
      })
      // Later clicks and trainings wait for this one: its error must not reach them.
      .catch(error => this._options.failed(BridgeError.from(error)));
    return this._clicks;
  }

  private get _state(): Drawing.IState {
    return this._options.state;
  }

  private _corrects = false;
  /** Resolves when the last click has been carried out. */
  private _clicks: Promise<void> = Promise.resolve();
}

/** The namespace for {@link Drawing}. */
export namespace Drawing {
  /** What drawing needs of the labeller. */
  export interface IState {
    readonly session: SessionState | null;
    readonly parts: SessionParts | null;
    readonly slice: number;
    readonly direction: SliceDirection;
    readonly currentClass: LabelClass | null;
    readonly settings: Settings;
    readonly connection: Connection;
    note(text: string): void;
    hint(text: string): void;
    mark(which: keyof Marks, id: number, on: boolean): Promise<void>;
  }

  export interface IOptions {
    state: IState;
    /** Called with the error of a click or a request. */
    failed(error: BridgeError): void;
  }
}
