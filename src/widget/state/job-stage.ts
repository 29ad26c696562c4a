/** The step of a long job in words for the user, and how far it is. */
import { EventParams } from '../../shared';
import { trans } from '../base/translation';

/** A step of a job. */
export interface IJobStage {
  stage: string;
  /** From 0 to 1; null if unknown. */
  fraction: number | null;
  /** Whether `stage` itself says how far it is. */
  counts?: true;
}

/**
 * The step of a job. SAM's windows are counted one by one: each takes seconds on a CPU, and nothing is painted before the first ones. The stages of the
 * encoder's run on one window are a percentage.
 */
export function stageOf({ stage, done, total }: EventParams<'job'>): IJobStage {
  const fraction = total > 0 ? Math.min(done / total, 1) : null;
  if (stage === 'encoding one window') {
    return { stage: trans.__('SAM looks at the image'), fraction };
  }
  if (stage !== 'encoding') {
    return { stage, fraction };
  }
  return total > 1
    ? {
        stage: trans.__('SAM looks at the image, window %1 of %2', Math.min(done + 1, total), total),
        fraction,
        counts: true
      }
    : { stage: trans.__('SAM looks at the image'), fraction };
}

/** A step with how far it is, for the status line; `message` says it better if there is one. */
export function stageText({ stage, fraction, counts, message }: IJobStage & { message: string }): string {
  const percent = fraction === null || (counts && !message) ? '' : ` ${Math.round(fraction * 100)} %`;
  return `${message || stage}${percent}`;
}
