/** Opens the labels of a session, and knows what was found and what damage has cost. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { ArrayDescriptor, Layer, MadeBy, SessionState } from '../../../src/shared/protocol';
import { log } from '../base/log';
import { sizeText } from './size-text';
import { JournalReader } from './journal-reader';
import { JournalledLabels } from './journalled-labels';
import { datedName } from './keep-file';
import { Painted } from './patch-mask';
import { IOpened, IRecordDamage, missingClasses, recoveredOf } from './recovered';
import { SessionArrays } from './session-arrays';
import { SessionRecord } from './session-record';

export class SessionLabels {
  constructor(private readonly _options: SessionLabels.IOptions) {
    this._isNew = _options.isNew;
    this.journalPath = join(_options.folder, 'labels.journal');
  }

  readonly journalPath: string;

  /** The labels that were found when the session was opened without other users. All later users get the same notice. */
  resumed: SessionState['resumed'] = null;

  /** The labels; `undefined` until the first {@link open}. */
  get opened(): JournalledLabels | undefined {
    return this._labels;
  }

  /** What was recovered and lost when the labels were opened; null if all files were whole, or the labels were set aside. */
  get recovered(): SessionState['recovered'] {
    return this._labels && this._opened ? recoveredOf(this._labels, this._opened, this._damage) : null;
  }

  /** Fill the labels from their journal. A journal of labels of another shape is set aside. */
  async open(shape: number[]): Promise<void> {
    const { record, arrays, onPaint, onChange } = this._options;
    await this.close();
    let reader = await JournalReader.open(this.journalPath);
    const journalMissing = !reader && record.labelsVersion > 0;
    try {
      const drawn = await reader?.shape();
      if (drawn && drawn.join() !== shape.join()) {
        const aside = this._backupPath();
        await rename(this.journalPath, aside);
        log(`${this.journalPath} is for an image of ${sizeText(drawn)}; it is now ${aside}`);
        await reader!.close();
        reader = undefined;
      }
      await arrays.remove('correction'); // it is made again if the journal has one
      const fits = async (name: string) =>
        arrays.get(name)?.shape.join() === shape.join() && (await arrays.intact(name));
      if (!(await fits('labels')) || !(await fits('provenance'))) {
        await arrays.remove('labels', 'provenance');
      }
    } catch (error) {
      await reader?.close();
      throw error;
    }
    const found = arrays.get('labels');
    const array = found ?? (await arrays.allocate('labels', 'uint8', shape));
    arrays.set('labels', array);
    const provenance = arrays.get('provenance') ?? (await arrays.allocate('provenance', 'uint8', shape));
    arrays.set('provenance', provenance);
    const labels = (this._labels = await JournalledLabels.open(this.journalPath, array, {
      reader,
      provenance,
      makeCorrection: async () => {
        const correction = await arrays.allocate('correction', 'uint8', shape);
        arrays.set('correction', correction);
        return correction;
      },
      blank: !found,
      version: record.labelsVersion,
      classes: this._isNew ? undefined : record.classes
    }));
    this._takeClasses(labels);
    this._damage = { ...this._damage, journalMissing };
    this._opened = { at: new Date(), pixels: labels.pixels };
    labels.onPaint = onPaint;
    labels.onChange = onChange;
    labels.onClasses = classes => (record.classes = classes);
    this.resumed = null;
  }

  /**
   * Run `check` on the labels, after all changes so far. If they are opened for it alone and it throws, they are closed again, and an
   * array that was made for them is removed.
   */
  async check(shape: number[], check: (labels: JournalledLabels) => void): Promise<void> {
    const { arrays } = this._options;
    const wasOpen = this._labels !== undefined;
    const path = arrays.get('labels')?.path;
    if (!wasOpen) {
      await this.open(shape);
    }
    const labels = this._labels!;
    await labels.exclusive(async () => undefined);
    try {
      check(labels);
    } catch (error) {
      if (!wasOpen) {
        await labels.close();
        if (labels.array.path !== path) {
          await arrays.discard(labels.array);
        }
      }
      throw error;
    }
  }

  /**
   * Replace all labels, and the classes if some are given. If there were labels or corrections, they are set aside in a backup.
   *
   * @param from the new labels; null for none, and for no correction
   * @param options with another correction, which stays by default if there are new labels
   */
  async setAside(
    from: ArrayDescriptor | null,
    made: MadeBy,
    options: Pick<JournalledLabels.IReplaceOptions, 'classes' | 'provenance' | 'correction'> = {}
  ): Promise<void> {
    const labels = this._labels!;
    const drawn = labels.pixels > 0 || Object.keys(labels.corrected).length > 0;
    const keepAs = drawn ? this._backupPath() : undefined;
    if (from || keepAs) {
      await labels.replace(from, made, { ...(!from && { correction: null }), ...options, keepAs });
    }
  }

  /** Forget what was found at the opening, as these labels are set aside. */
  forgetFound(): void {
    this.resumed = null;
    this._opened = null;
  }

  /** Note the present labels as those that the user finds again. */
  noteResumed(): void {
    const { pixels = 0, changed } = this._labels ?? {};
    this.resumed = changed && pixels > 0 ? { pixels, changed: changed.toISOString() } : null;
  }

  /** Note where a damaged record is kept. */
  noteDamagedRecord(copy: string): void {
    this._damage = { record: copy };
  }

  /** From now on, the classes are those of the record, and not those that the journal holds. */
  recordHasClasses(): void {
    this._isNew = false;
  }

  async close(): Promise<void> {
    await this._labels?.close();
  }

  /** Make sure that each label has a class: take the journal's if the record is lost, and name those anew that are in neither. */
  private _takeClasses(labels: JournalledLabels): void {
    const { record } = this._options;
    if (labels.classes.length > 0) {
      record.classes = labels.classes;
    }
    const renamed = missingClasses(record.classes, Object.keys({ ...labels.counts, ...labels.corrected }).map(Number));
    record.classes = [...record.classes, ...renamed];
    this._damage = { ...this._damage, renamed };
  }

  private _backupPath(): string {
    return join(this._options.folder, datedName('labels', 'bak'));
  }

  private _labels: JournalledLabels | undefined;
  private _isNew: boolean;
  private _damage: IRecordDamage = {};
  /** When the labels were opened, and how many they were; null once they were set aside. */
  private _opened: IOpened | null = null;
}

export namespace SessionLabels {
  export interface IOptions {
    /** The folder of the session's files. */
    folder: string;
    /** The session's record, whose classes this object completes. */
    record: SessionRecord;
    arrays: SessionArrays;
    /** Whether the record is new, so that the classes in the journal are to be taken. */
    isNew: boolean;
    /** Called for each rectangle that changed, before the change is acknowledged. */
    onPaint: Painted;
    /** Called when layers have changed. */
    onChange(layers: ReadonlySet<Layer>): void;
  }
}
