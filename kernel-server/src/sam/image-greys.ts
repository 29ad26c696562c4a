/** The greys of a session's image, for masks. */
import { SliceRect } from '../../../src/shared/rect';
import { TileFile } from '../arrays/tile-file';
import { Session } from '../session/session';

/** Run some work that reads greys: of a rectangle, rows × columns, the mean of channels. */
export function withGreys<T>(session: Session, work: (read: (rect: SliceRect) => Float32Array) => T): T {
  const file = new TileFile(session.image, 'r');
  try {
    const { channels } = file;
    return work(rect => {
      const values = file.read(rect);
      const greys = new Float32Array(values.length / channels);
      values.forEach((value: number, i: number) => (greys[Math.floor(i / channels)]! += value / channels));
      return greys;
    });
  } finally {
    file.close();
  }
}
