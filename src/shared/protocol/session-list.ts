/** The sessions on disk, and how one session takes the labels of another. */
import { z } from 'zod';
import { zOrigin, zSession } from './session';
import { MethodTable, zCount, zImage, zSessionId } from './types';

/** A session on disk, open or not. */
export const zSessionSummary = z.object({
  session: zSessionId,
  title: z.string(),
  /** The name that the user gave it; null for a session that image and origin identify. */
  name: z.string().nullable(),
  origin: zOrigin.nullable(),
  image: zImage.pick({ shape: true, dtype: true, digest: true, pixelSize: true }),
  classes: z.array(z.string()),
  /** Labelled pixels. After a crash of the sidecar this may lag behind by a few seconds, until the session is opened. */
  labelled: zCount,
  /** When the session last changed, ISO 8601. */
  changed: z.string()
});
export type SessionSummary = z.infer<typeof zSessionSummary>;

export const SESSION_LIST_METHODS = {
  /** All sessions, the latest change first. */
  'session.list': { params: z.object({}), result: z.object({ sessions: z.array(zSessionSummary) }), repeat: true },
  /**
   * Other sessions with labels that may be what the user looks for: of the same image (`image`), or of the same variable and an image of
   * the same size (`variable`). The likeliest first, {@link RELATED_MAX} at most.
   */
  'session.related': {
    params: z.object({ session: zSessionId }),
    result: z.object({ sessions: z.array(zSessionSummary.extend({ same: z.enum(['image', 'variable']) })) }),
    repeat: true
  },
  /**
   * Copy labels and classes of another session, whose image has the same size. Older labels of `session` are set aside, in a file in its
   * folder. The other session does not change.
   */
  'labels.take': { params: z.object({ session: zSessionId, from: zSessionId }), result: zSession }
} as const satisfies MethodTable;
export type RelatedSession = z.infer<(typeof SESSION_LIST_METHODS)['session.related']['result']>['sessions'][number];
