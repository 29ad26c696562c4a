export type Urgency = 'now' | 'ahead';

/** The context of a long piece of work: a signal that tells it to stop, and a way to report progress. */
export interface IJobContext {
  signal: AbortSignal;
  /** `done` of `total` of a stage, in any unit; `message` tells the user something besides. */
  progress(stage: string, done: number, total: number, message?: string): void;
  /** Whether a user looks at the place and waits, or nobody does yet. Absent: neither. The encoder gives way to more urgent work. */
  urgency?: Urgency | undefined;
}
