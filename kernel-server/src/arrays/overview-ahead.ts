/** The overview of an image that is still being written: its tiles are made from the rows that are there, so that it is ready soon after them. */
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { byteLength } from './dtypes';
import { Pyramid, TileCache } from './pyramid';
import { TileFile } from './tile-file';

export class OverviewAhead {
  /** The tiles are kept in `tiles` under the array's path. */
  constructor(array: ArrayDescriptor, tiles: TileCache) {
    this._file = new TileFile(array, 'r');
    const [slices] = array.shape;
    this._rowBytes = byteLength(array) / (slices! * this._file.rows);
    // The range is of no matter: tiles are kept with the image's own values.
    this._pyramid = new Pyramid(this._file, { low: 0, high: 1 }, tiles, array.path);
  }

  /** The first `bytes` of the array are written. */
  written(bytes: number): void {
    this._rows = Math.floor(bytes / this._rowBytes);
    void this._run();
  }

  /** Make no more tiles, and close the file. */
  stop(): void {
    this._stopped = true;
    void this._run();
  }

  private async _run(): Promise<void> {
    if (this._running) {
      return; // it goes on with the rows that came, or ends
    }
    this._running = true;
    try {
      for (let made = -1; made < this._rows && !this._stopped;) {
        made = this._rows;
        await this._pyramid.begin(made, () => !this._stopped);
      }
    } catch {
      this._stopped = true; // the session makes the overview again, and says what is wrong
    }
    this._running = false;
    if (this._stopped) {
      this._file.close();
    }
  }

  private readonly _file: TileFile;
  private readonly _pyramid: Pyramid;
  private readonly _rowBytes: number;
  private _rows = 0;
  private _stopped = false;
  private _running = false;
}
