/** Changes of the correction beside its strokes. Each is one step that can be undone. */
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { Params, Part } from '../../../src/shared/protocol';
import { SliceRect } from '../../../src/shared/rect';
import { TileFile } from '../arrays/tile-file';
import { breathe } from '../base/files';
import { IEngineService } from '../jobs/services';
import { Jobs } from '../jobs/jobs';
import { IMoved } from '../session/journalled-labels';
import { Session } from '../session/session';
import { bandsOf } from '../session/whole-labels';
import { ICall, madeBy } from '../transport/dispatcher';

const inflate = promisify(inflateRaw);

const TOOLS = { islands: 'remove_islands', holes: 'fill_holes', majority: 'majority' } as const;
/** Bytes that are looked at between two turns of the event loop. */
const BYTES_AT_ONCE = 1 << 20;

export class Corrections {
  constructor(private readonly _options: { engine: IEngineService; jobs: Jobs }) {}

  /**
   * Clean the segmentation with its corrections; what changes becomes correction. In the widget, locked classes stay as they are. Nothing becomes
   * of a class that was merged or removed after the training.
   *
   * @throws BridgeError `not-ready` if there is no segmentation, `too-large` for more than one step can hold: then nothing has changed
   */
  async clean(session: Session, { slice, cleaning }: Params<'correction.clean'>, call: ICall): Promise<IMoved> {
    const { engine, jobs } = this._options;
    const { labels } = session;
    const segmentation = session.array('segmentation');
    if (!segmentation || !session.record.classifier) {
      throw new BridgeError(
        'not-ready',
        'There is no segmentation to correct yet. Label a few pixels of two classes and train.'
      );
    }
    if (slice !== undefined) {
      session.checkSlice(slice);
    }
    // Locks bind the tools of the widget, and not Python, as with labels.
    const locked = new Set(call.peer.role === 'python' ? [] : session.record.marks.locked);
    const description = {
      key: `correct/${session.id}/${call.id}`,
      id: call.id,
      session: session.id,
      kind: 'correct' as const
    };
    return jobs.run(description, call.signal, async context => {
      await labels.exclusive(async () => undefined); // so that all acknowledged strokes are in the arrays
      const correction = session.array('correction');
      const found = await engine.clean({ segmentation, correction, slice, cleaning }, context);
      return labels.edit(
        call.id,
        madeBy(call, TOOLS[cleaning.kind]),
        async (planes, recorder) => {
          const { rows, columns } = planes.labels;
          const there = new Set(session.record.classes.map(({ id }) => id));
          const below = locked.size > 0 ? new TileFile(segmentation, 'r') : undefined;
          try {
            for (const [i, bytes] of found.entries()) {
              const whole = { slice: slice ?? i, row0: 0, row1: rows, column0: 0, column1: columns };
              const next = await inflate(bytes);
              const now = (planes.correction?.read(whole) ?? new Uint8Array(next.byteLength)) as Uint8Array;
              const shown = below?.read(whole) as Uint8Array | undefined;
              const stays = (id: number, at: number) => locked.has(id || shown![at]!) || locked.has(next[at]!);
              const after = now.map((id, at) => (!there.has(next[at]!) || (shown && stays(id, at)) ? id : next[at]!));
              recorder.add({ ...whole, layer: 'correction' }, now, after);
              await recorder.settle();
            }
          } finally {
            below?.close();
          }
        },
        { layer: 'correction' }
      );
    });
  }

  /** Make the correction of a part labels. */
  use(session: Session, part: Part, call: ICall): Promise<IMoved> {
    return session.labels.edit(call.id, madeBy(call, 'use_correction'), async (planes, recorder) => {
      for (const rect of rectsOf(planes.labels, part)) {
        const corrected = planes.correction?.read(rect) as Uint8Array | undefined;
        if (corrected) {
          const now = planes.labels.read(rect) as Uint8Array;
          const after = now.map((id, at) => corrected[at]! || id);
          recorder.add(rect, now, after);
        }
        await breathe();
      }
    });
  }

  /** Remove the correction of a part. */
  clear(session: Session, part: Part, call: ICall): Promise<IMoved> {
    return session.labels.edit(
      call.id,
      madeBy(call, 'clear_correction'),
      async (planes, recorder) => {
        for (const rect of planes.correction ? rectsOf(planes.labels, part) : []) {
          const now = planes.correction!.read(rect) as Uint8Array;
          recorder.add({ ...rect, layer: 'correction' }, now, new Uint8Array(now.length));
          await breathe();
        }
      },
      { layer: 'correction' }
    );
  }
}

/** The part in bands of rows. Throws BridgeError `invalid` for what lies outside. */
function* rectsOf(file: TileFile, { slice, rows, columns }: Part): Generator<SliceRect> {
  const [row0, row1] = rows ?? [0, file.rows];
  const [column0, column1] = columns ?? [0, file.columns];
  const wrongSlice = slice !== undefined && slice >= file.slices;
  if (wrongSlice || row0 >= row1 || row1 > file.rows || column0 >= column1 || column1 > file.columns) {
    throw new BridgeError(
      'invalid',
      `Rows ${row0} to ${row1} and columns ${column0} to ${column1} of slice ${slice ?? 'any'} are no part of ` +
        `${file.slices} slices of ${file.rows} × ${file.columns} pixels.`
    );
  }
  for (const band of bandsOf(file, BYTES_AT_ONCE)) {
    const rect = { ...band, row0: Math.max(row0, band.row0), row1: Math.min(row1, band.row1), column0, column1 };
    if (rect.row0 < rect.row1 && (slice === undefined || slice === rect.slice)) {
      yield rect;
    }
  }
}
