/** The histograms of the sessions' images. */
import { Lru } from '../../../src/shared/lru';
import { Histogram, histogramOf } from '../arrays/histogram';
import { Session } from './session';

/** Histograms kept. */
const KEPT = 32;

export class Histograms {
  /** The histogram of a session's image. Calls at the same time share the work. */
  of(session: Session): Promise<Histogram> {
    const { digest, display } = session.record.image;
    const key = `${session.id} ${digest}`;
    let made = this._made.get(key);
    if (!made) {
      made = histogramOf(session.image, display);
      this._made.set(key, made);
      made.catch(() => this._made.delete(key));
    }
    return made;
  }

  private readonly _made = new Lru<string, Promise<Histogram>>({ limit: KEPT });
}
