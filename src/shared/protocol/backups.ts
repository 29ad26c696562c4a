/** Labels that were set aside, and how they come back. */
import { z } from 'zod';
import { zSession } from './session';
import { MethodTable, zCount, zSessionId } from './types';

/** The name of a backup: a file in the session's folder. */
const zBackupName = z
  .string()
  .regex(/^labels-[0-9TZ-]+\.(bak|damaged)$/, 'a backup is named labels-….bak or labels-….damaged');

/** Labels that were set aside. */
export const zBackup = z.object({
  name: zBackupName,
  /** When they were set aside, ISO 8601. */
  at: z.string(),
  /** Labelled pixels that can be restored; null for labels of an image of another size. */
  labelled: zCount.nullable(),
  /** Whether it is the copy of a damaged journal. */
  damaged: z.boolean()
});
export type Backup = z.infer<typeof zBackup>;

export const BACKUP_METHODS = {
  /** The session's backups, the latest first. */
  'session.backups': {
    params: z.object({ session: zSessionId }),
    result: z.object({ backups: z.array(zBackup) }),
    repeat: true
  },
  /** Restore labels and classes of a backup. The present labels are set aside; the backup stays. */
  'session.restore': { params: z.object({ session: zSessionId, backup: zBackupName }), result: zSession }
} as const satisfies MethodTable;
