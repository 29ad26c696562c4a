/** Labels of the slices between labelled ones, in one step that can be undone. */
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { MadeBy, Params } from '../../../src/shared/protocol';
import { TileFile } from '../arrays/tile-file';
import { breathe, isBlank } from '../base/files';
import { IEngineService, IGap } from '../jobs/services';
import { Jobs } from '../jobs/jobs';
import { IMoved } from '../session/journalled-labels';
import { Session } from '../session/session';
import { ICall } from '../transport/dispatcher';

const inflate = promisify(inflateRaw);

const MADE: MadeBy = { provenance: 'interpolation', tool: 'interpolate' };
/** Bytes of labels that are looked at between two turns of the event loop. */
const BYTES_AT_ONCE = 1 << 20;

export class Interpolation {
  constructor(private readonly _options: { engine: IEngineService; jobs: Jobs }) {}

  /**
   * Fill the slices without labels between labelled slices.
   *
   * @returns what changed, and the slices that were filled
   * @throws BridgeError `invalid` if no slice without labels lies between two labelled ones
   */
  async run(
    session: Session,
    { from = 0, to }: Params<'labels.interpolate'>,
    call: ICall
  ): Promise<IMoved & { slices: number[] }> {
    const { engine, jobs } = this._options;
    const { labels } = session;
    const last = to ?? labels.array.shape[0]! - 1;
    [from, last].forEach(slice => session.checkSlice(slice));
    const description = {
      key: `interpolate/${session.id}/${call.id}`,
      id: call.id,
      session: session.id,
      kind: 'interpolate' as const
    };
    return jobs.run(description, call.signal, async context => {
      await labels.exclusive(async () => undefined); // so that all acknowledged patches are in the array
      const gaps = gapsOf(await labelledSlices(labels.array, from, last));
      if (gaps.length === 0) {
        throw new BridgeError(
          'invalid',
          `There is nothing to fill: between slices ${from} and ${last}, no slice without labels lies between two that have some.`
        );
      }
      const filled = await engine.interpolate(labels.array, gaps, context);
      const bySlice = new Map(
        gaps.flatMap(({ before }, i) => filled[i]!.map((bytes, j) => [before + 1 + j, bytes] as const))
      );
      const moved = await labels.edit(call.id, MADE, async ({ labels: file }, recorder) => {
        for (const [slice, bytes] of bySlice) {
          const rect = { slice, row0: 0, row1: file.rows, column0: 0, column1: file.columns };
          const now = file.read(rect) as Uint8Array;
          const next = await inflate(bytes);
          // What was drawn meanwhile stays.
          recorder.add(
            rect,
            now,
            now.map((id, i) => (id === 0 ? next[i]! : id))
          );
        }
      });
      return { ...moved, slices: [...bySlice.keys()] };
    });
  }
}

/** The numbers of the slices that have labels. */
async function labelledSlices(array: TileFile['array'], from: number, last: number): Promise<number[]> {
  const file = new TileFile(array, 'r');
  try {
    const { rows, columns } = file;
    const band = Math.max(1, Math.floor(BYTES_AT_ONCE / columns));
    const found: number[] = [];
    for (let slice = from; slice <= last; slice++) {
      for (let row0 = 0; row0 < rows; row0 += band) {
        const rect = { slice, row0, row1: Math.min(rows, row0 + band), column0: 0, column1: columns };
        const blank = isBlank(file.read(rect) as Uint8Array);
        await breathe();
        if (!blank) {
          found.push(slice);
          break;
        }
      }
    }
    return found;
  } finally {
    file.close();
  }
}

function gapsOf(labelled: readonly number[]): IGap[] {
  return labelled.slice(1).flatMap((after, i) => (after - labelled[i]! > 1 ? [{ before: labelled[i]!, after }] : []));
}
