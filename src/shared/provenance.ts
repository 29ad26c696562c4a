import { Provenance } from './protocol';

/** How the array `provenance` says what made a label; 0 is unlabelled, or labelled before SambaLab noted it. */
export const PROVENANCE_CODES = { hand: 1, sam: 2, interpolation: 3, python: 4 } as const satisfies Record<
  Provenance,
  number
>;
