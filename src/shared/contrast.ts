/**
 * The contrast of an image: how its grey values become what the screen shows, and what SAM sees for prompts. Of a value v, with
 * t = (v − low) / (high − low) limited to 0…1, it makes 255 · t^gamma, or 255 less that if inverted.
 */
import { z } from 'zod';

/** Range of gamma; 1 is linear. */
export const GAMMA = { minimum: 0.1, maximum: 10 } as const;

/** See {@link Contrast}. */
export const zContrast = z
  .object({
    /** The values that become black and white, low < high, with a finite difference; the other way round if inverted. */
    low: z.number(),
    high: z.number(),
    gamma: z.number().min(GAMMA.minimum).max(GAMMA.maximum),
    inverse: z.boolean(),
    /** Whether red, green and blue are shown. A channel alone is shown in grey. Of a grey image only the first counts. */
    channels: z.tuple([z.boolean(), z.boolean(), z.boolean()])
  })
  .refine(({ low, high }) => low < high, { message: 'low must be below high', path: ['low'] })
  .refine(({ low, high }) => Number.isFinite(high - low), { message: 'high − low must be finite', path: ['high'] })
  .refine(({ channels }) => channels.includes(true), { message: 'one channel must be shown', path: ['channels'] });

/** How the grey values of an image are shown. */
export type Contrast = z.infer<typeof zContrast>;
