/**
 * Tiles of what the classifier says of each pixel. After each new segmentation they are fetched again; the old ones are shown until then.
 */
import { ByteTiles } from '../tiles/byte-tiles';

/** An overlay of the session's classifier. A subclass names what it shows with {@link kind}. */
export abstract class ClassifierTiles extends ByteTiles {
  override get reduces(): boolean {
    return true;
  }

  /** Follow the segmentation's version; 0 if there is none, and no classifier either. */
  follow(version: number): void {
    if (version === this._version) {
      return;
    }
    const before = this._version;
    this._version = version;
    if (before === 0 || version < before || this.state.state === 'failed') {
      this._generation += version === 0 || version < before ? 1 : 0; // drop the tiles of the old classifier
      this.begin();
    } else if (this.shown) {
      this.emitChanged();
    }
  }

  /** What the tiles show; null if the classifier cannot say it. */
  protected abstract kind(): string | null;

  protected override get version(): number {
    return this._version;
  }

  protected override what(): string | null {
    const kind = this.kind();
    return this._version === 0 || kind === null ? null : `${kind} ${this._generation}`;
  }

  private _version = 0;
  private _generation = 0;
}
