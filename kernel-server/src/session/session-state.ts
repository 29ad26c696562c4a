/** What the protocol says of a session: everything but pixels. */
import { SessionState } from '../../../src/shared/protocol';
import { DEFAULT_MODEL } from '../../../src/shared/models';
import { holds, isSameRegion } from '../../../src/shared/region';
import type { Segmentation } from './segmentation';
import type { SessionLabels } from './session-labels';
import type { SessionRecord } from './session-record';

/** The state of a session whose labels are open. */
export function stateOf({ id, record, labels, segmentation, live }: ISessionParts): SessionState {
  const { title, image, imageReady, classes, marks, region, arrays, classifier, segmentationVersion, choice } = record;
  const { version, counts, array, history, correction, corrected } = labels.opened!;
  const { round, counts: phases } = segmentation;
  return {
    session: id,
    title,
    image,
    imageReady,
    classes,
    marks,
    region,
    labels: { version, counts },
    correction: correction ? { version: labels.opened!.versionOf('correction'), counts: corrected } : null,
    resumed: labels.resumed,
    recovered: labels.recovered,
    segmentation:
      classifier && arrays['segmentation']
        ? {
            version: segmentationVersion,
            ...(round !== undefined && { round }),
            ...(record.segmentedPart < 1 && { part: record.segmentedPart }),
            ...(!holds(record.segmentedRegion, region) && { outgrown: true as const }),
            ...(!isSameRegion(record.learnedRegion, region) && { learnedElsewhere: true as const }),
            classifier,
            ...(phases && { counts: phases })
          }
        : null,
    ...(classifier && !arrays['segmentation'] && { segmentationFreed: true as const }),
    history: { undo: history.undoable, redo: history.redoable },
    live,
    choice,
    ...(record.samModel !== DEFAULT_MODEL.id && { samModel: record.samModel }),
    ...(record.contrast && { contrast: record.contrast }),
    arrays: { ...arrays, labels: { ...array, version } }
  };
}

interface ISessionParts {
  id: string;
  record: SessionRecord;
  labels: SessionLabels;
  segmentation: Segmentation;
  live: boolean;
}
