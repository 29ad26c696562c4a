/** Whether a session may be opened with other images and classes than it has: no label may lose its place or its meaning. */
import { BridgeError } from '../../../src/shared/errors';
import { IMAGE_NOTES } from '../../../src/shared/limits';
import { ImageInfo, LabelClass, Params } from '../../../src/shared/protocol';
import { JournalReader } from './journal-reader';
import type { JournalledLabels } from './journalled-labels';
import type { SessionLabels } from './session-labels';
import { sizeText } from './size-text';
import type { SessionRecord } from './session-record';

/**
 * Check whether a session may be opened with `params`, without a change.
 *
 * @throws BridgeError `invalid` if labels would be lost without `fresh`, or two classes would have one name
 */
export async function admit(
  record: SessionRecord,
  labels: SessionLabels,
  params: Params<'session.open'>
): Promise<void> {
  const held = record.image.shape.slice(0, 3);
  const sameShape = held.join() === params.image.shape.slice(0, 3).join();
  if (params.fresh || (sameShape && params.keepClasses)) {
    return;
  }
  await labels.check(held, opened => {
    if (!sameShape && opened.pixels > 0) {
      throw otherShape(record, params, held);
    }
    if (!params.keepClasses) {
      keptClasses(record.classes, opened, params.classes);
    }
  });
}

/** As {@link admit}, for a session whose record is lost and `record` new: the journal says the shape of its labels. */
export async function admitWithoutRecord(
  record: SessionRecord,
  journalPath: string,
  params: Params<'session.open'>
): Promise<void> {
  const reader = await JournalReader.open(journalPath);
  try {
    const shape = await reader?.shape();
    const same = shape?.join() === params.image.shape.slice(0, 3).join();
    if (shape && !same && !params.fresh && reader!.mayHoldLabels) {
      throw otherShape(record, params, shape);
    }
  } finally {
    await reader?.close();
  }
}

/** The classes that stay beside the given ones because they have labels. Throws BridgeError `invalid` if a name is taken. */
export function keptClasses(
  classes: readonly LabelClass[],
  labels: JournalledLabels,
  given: readonly LabelClass[]
): LabelClass[] {
  const ids = new Set(given.map(item => item.id));
  const kept = classes.filter(({ id }) => !ids.has(id) && labels.uses(id));
  for (const { id, name } of kept) {
    if (given.some(item => item.name === name)) {
      throw new BridgeError(
        'invalid',
        `The name ${JSON.stringify(name)} is that of the class of id ${id}, which stays since it has ` +
          `${labels.count(id)} labelled pixels. Keep the order of the classes, or fresh=True to set the labels aside.`
      );
    }
  }
  return kept;
}

/** Throws BridgeError `invalid` if a class with labels is not in `next`. */
export function refuseLostClasses(
  classes: readonly LabelClass[],
  labels: JournalledLabels,
  next: readonly LabelClass[]
): void {
  const ids = new Set(next.map(item => item.id));
  for (const { id, name } of classes) {
    const pixels = labels.count(id);
    if (!ids.has(id) && labels.uses(id)) {
      const corrected = labels.corrected[id] ?? 0;
      throw new BridgeError(
        'invalid',
        `Class ${id} (${name}) has ${pixels || corrected} ${pixels ? 'labelled' : 'corrected'} pixels. Erase them before you remove the class.`
      );
    }
  }
}

/** Tell that a session keeps its labels although its image is another one than before. */
export function otherImage(name: string, pixels: number): string {
  const kept = pixels === 1 ? '1 labelled pixel was' : `${pixels.toLocaleString('en')} labelled pixels were`;
  return (
    `The session ${name} had another image of this size. Its ${kept} kept. If they do not belong to this image, ` +
    'choose another name, or fresh=True to set them aside.'
  );
}

/** An image with one more line for the user. Of too many, the others give way. */
export function withNote(image: ImageInfo, note: string): ImageInfo {
  const notes = (image.notes ?? []).slice(0, IMAGE_NOTES.count - 1);
  return { ...image, notes: [...notes, note.slice(0, IMAGE_NOTES.length)] };
}

function otherShape({ title, key }: SessionRecord, { image }: Params<'session.open'>, held: number[]): BridgeError {
  return new BridgeError(
    'invalid',
    `The session ${title || key} holds labels of an image of ${sizeText(held)}; this one has ${sizeText(image.shape)}. ` +
      'Choose another name, or fresh=True to set them aside.'
  );
}
