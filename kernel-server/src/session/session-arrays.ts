import { ArrayDescriptor, Dtype } from '../../../src/shared/protocol';
import { ArrayStore } from '../arrays/array-store';

/** The shared arrays of a session by name, as its record lists them. */
export class SessionArrays {
  constructor(options: SessionArrays.IOptions) {
    this.folder = options.folder;
    this._store = options.store;
    this._listed = options.listed;
  }

  /** The folder of the arrays in the store. */
  readonly folder: string;

  get(name: string): ArrayDescriptor | undefined {
    return this._listed[name];
  }

  /** Make an array of zeros without listing it. */
  allocate(name: string, dtype: Dtype, shape: number[]): Promise<ArrayDescriptor> {
    return this._store.allocate(this.folder, name, dtype, shape);
  }

  /** List an array. */
  set(name: string, array: ArrayDescriptor): void {
    this._listed[name] = array;
  }

  /** List an array in place of an older one of that name, which is removed. */
  async replace(name: string, array: ArrayDescriptor): Promise<void> {
    const old = this._listed[name];
    this._listed[name] = { ...array, version: (old?.version ?? 0) + 1 };
    await this._store.remove(old);
  }

  /** Move an array to this session's, in place of an older one of that name. @returns whether its file was still there */
  async adopt(name: string, array: ArrayDescriptor): Promise<boolean> {
    const moved = await this._store.move(array, this.folder, name);
    if (moved) {
      await this.replace(name, moved);
    }
    return moved !== undefined;
  }

  /** Remove arrays. Processes that map them keep what they see. */
  async remove(...names: string[]): Promise<void> {
    for (const name of names) {
      const array = this._listed[name];
      delete this._listed[name];
      await this._store.remove(array);
    }
  }

  /** Remove an array that is not listed, or no longer. */
  discard(array: ArrayDescriptor): Promise<void> {
    return this._store.remove(array);
  }

  /** Count a change of an array's values. */
  bump(name: string): void {
    const array = this._listed[name];
    if (array) {
      array.version++;
    }
  }

  /** Whether an array is listed and its file is whole. */
  async intact(name: string): Promise<boolean> {
    const array = this._listed[name];
    return array !== undefined && (await this._store.intact(array));
  }

  /** Whether all listed arrays have their files. */
  async allIntact(): Promise<boolean> {
    return (await Promise.all(Object.keys(this._listed).map(name => this.intact(name)))).every(Boolean);
  }

  /** Take arrays whose files are lost or damaged off the list. */
  async forgetLost(): Promise<void> {
    for (const name of Object.keys(this._listed)) {
      if (!(await this.intact(name))) {
        delete this._listed[name];
      }
    }
  }

  private readonly _store: ArrayStore;
  private readonly _listed: Record<string, ArrayDescriptor>;
}

export namespace SessionArrays {
  export interface IOptions {
    folder: string;
    store: ArrayStore;
    /** The list in the session's record, which this object changes. */
    listed: Record<string, ArrayDescriptor>;
  }
}
