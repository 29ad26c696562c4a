/** The record of a session in its file `session.json`: its form, reading it, and saving it. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { zContrast } from '../../../src/shared/contrast';
import {
  Params,
  zArray,
  zClass,
  zClassifierInfo,
  zImage,
  zMarks,
  zOrigin,
  zRegion,
  zSamDevice,
  zTrainingChoice
} from '../../../src/shared/protocol';
import { DEFAULT_MODEL } from '../../../src/shared/models';
import { explainStorage, isMissing, unusable, writeAtomically } from '../base/files';
import { log } from '../base/log';
import { VERSION } from '../base/version';

export const zRecord = z.object({
  format: z.literal(1),
  /** Version of the sidecar that wrote the file. */
  sidecar: z.string(),
  key: z.string(),
  title: z.string(),
  /** Where the session was made; null if its key is a name. */
  origin: zOrigin.nullable(),
  image: zImage,
  imageReady: z.boolean(),
  classes: z.array(zClass),
  marks: zMarks.default({ locked: [], hidden: [] }),
  created: z.string(),
  changed: z.string(),
  /** Labelled pixels, for lists of sessions. The journal has the labels, and may be a few seconds ahead. */
  labelled: z.number().int().nonnegative(),
  /** The version of the labels when the record was saved: a journal that ends before it has lost its end. */
  labelsVersion: z.number().int().nonnegative(),
  /** The shared arrays. Their files may be gone after a restart of the computer. */
  arrays: z.record(z.string(), zArray),
  /** The classifier that `classifier.json` holds. */
  classifier: zClassifierInfo.nullable(),
  /** Rises with every new segmentation. */
  segmentationVersion: z.number().int().nonnegative(),
  /** Share of the segmentation's tiles that are made: below 1 if the training was cancelled on the way. */
  segmentedPart: z.number().min(0).max(1).default(1),
  /** The part of the image that is worked on, the part that the segmentation has, and the one whose labels the classifier learned; null: all. */
  region: zRegion.nullable().default(null),
  segmentedRegion: zRegion.nullable().default(null),
  learnedRegion: zRegion.nullable().default(null),
  /** Slices whose embedding is in the array `embedding`. */
  embeddings: z.record(z.string(), z.object({ device: zSamDevice, seconds: z.number() })),
  /** Slice and feature spec of the array `features`, as JSON. */
  featuresOf: z.string().nullable(),
  /** Features and learner of the next training. */
  choice: zTrainingChoice,
  /** The model that suggests: its id, or the path of its folder. */
  samModel: z.string().default(DEFAULT_MODEL.id),
  /** What SAM sees for prompts; null: the range `image.display`. */
  contrast: zContrast.nullable().default(null)
});
export type SessionRecord = z.infer<typeof zRecord>;

/** The record of a new session. */
export function newRecord({ key, title, origin, image, classes }: Params<'session.open'>): SessionRecord {
  const now = new Date().toISOString();
  return {
    format: 1,
    sidecar: VERSION,
    key,
    title,
    origin: origin ?? null,
    image,
    imageReady: false,
    classes,
    marks: { locked: [], hidden: [] },
    created: now,
    changed: now,
    labelled: 0,
    labelsVersion: 0,
    arrays: {},
    classifier: null,
    segmentationVersion: 0,
    segmentedPart: 1,
    region: null,
    segmentedRegion: null,
    learnedRegion: null,
    embeddings: {},
    featuresOf: null,
    choice: { features: {}, forest: {} },
    samModel: DEFAULT_MODEL.id,
    contrast: null
  };
}

/** The record of a session, or why there is none. */
export type RecordRead = { record: SessionRecord } | { record: undefined; damaged: boolean };

/**
 * Read a session's record. The file stays as it is.
 *
 * @throws BridgeError `storage` if the file cannot be read. That says nothing about its content.
 */
export async function readRecord(path: string): Promise<RecordRead> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) {
      return { record: undefined, damaged: false };
    }
    throw unusable(path, error);
  }
  try {
    return { record: zRecord.parse(JSON.parse(text)) };
  } catch (error) {
    log(`${path} is damaged`, error);
    return { record: undefined, damaged: true };
  }
}

/** Write a session's record. */
export async function writeRecord(path: string, record: SessionRecord): Promise<void> {
  const json = JSON.stringify(record, undefined, 1) + '\n';
  await writeAtomically(path, json).catch(async error => {
    throw await explainStorage(error, path, Buffer.byteLength(json));
  });
}

/** Milliseconds after {@link RecordFile.saveSoon} until the record is saved. */
const SAVE_MS = 2000;

/** Saves a session's record, one write after the other. */
export class RecordFile {
  /** `update` is called before each save. It completes the record. */
  constructor(
    private readonly _path: string,
    private readonly _record: SessionRecord,
    private readonly _update: () => void
  ) {}

  /** Write the file. Calls during a write share the next one. */
  save(): Promise<void> {
    this._record.changed = new Date().toISOString();
    this._update();
    this._nextSave ??= this._saving
      .catch(() => undefined)
      .then(() => {
        this._nextSave = undefined;
        return (this._saving = writeRecord(this._path, this._record));
      });
    return this._nextSave;
  }

  /** Save within {@link SAVE_MS}, so that lists of sessions show the present number of labelled pixels. */
  saveSoon(): void {
    this._timer ??= setTimeout(() => void this._saveNow(), SAVE_MS);
    this._timer.unref();
  }

  /** Save now if a save is due soon, and wait until all saves have ended. */
  async finish(): Promise<void> {
    if (this._timer) {
      await this._saveNow();
    }
    await this._saving.catch(() => undefined);
  }

  /** Drop a save that is due soon, and wait until the present one has ended. */
  async abandon(): Promise<void> {
    clearTimeout(this._timer);
    await this._saving.catch(() => undefined);
  }

  private async _saveNow(): Promise<void> {
    clearTimeout(this._timer);
    this._timer = undefined;
    await this.save().catch(error => log(`${this._path} could not be saved`, error));
  }

  private _saving: Promise<void> = Promise.resolve();
  private _nextSave: Promise<void> | undefined;
  private _timer: NodeJS.Timeout | undefined;
}
