import { z } from 'zod';

/** Where SAM's encoder runs, and why it does not run on something faster. */
export const zSamDevice = z.object({
  model: z.string(),
  provider: z.enum(['cuda', 'webgpu', 'cpu']),
  /** The adapter's name, as its driver gives it. */
  adapter: z.string().nullable(),
  /** Which faster providers were tried, and why each was not taken; empty if none was tried. */
  note: z.string()
});
export type SamDevice = z.infer<typeof zSamDevice>;
