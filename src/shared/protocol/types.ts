/** The values that messages of several topics carry: numbers, ids, arrays, classes, images, tiles. */
import { z } from 'zod';
import { CLASS_NAME_MAX, CLASSES_MAX, IMAGE_NOTES, LEVEL_MAX, UNIT_MAX } from '../limits';
import { SLICE_DIRECTIONS } from '../direction';
import { Rect, SliceRect } from '../rect';
import type { Region } from '../region';

/** One method of the protocol. */
export interface IMethod {
  params: z.ZodType;
  result: z.ZodType;
  /**
   * Whether a request that comes twice under the same id may run twice. Replies to these are large or always new, so the sidecar does not keep
   * them. Absent: the sidecar runs the request once and repeats its reply.
   */
  repeat?: true;
}

/** The methods of one topic. */
export type MethodTable = Record<string, IMethod>;

export const zCount = z.number().int().min(0);
export const zNatural = z.number().int().min(1);
/** How often tiles are halved: 0 is full resolution. */
export const zLevel = zCount.max(LEVEL_MAX);
export const zSessionId = z.string().regex(/^[0-9a-f]{16,64}$/, 'a session id has 16 to 64 hexadecimal digits');
export const zStagedId = z.string().regex(/^[0-9a-f]{16,64}$/, 'a staged id has 16 to 64 hexadecimal digits');
export const zDigest = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 digest has 64 hexadecimal digits');

/** Element types of shared arrays, named as NumPy names them; little endian. */
export const zDtype = z.enum(['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'float32', 'float64']);
export type Dtype = z.infer<typeof zDtype>;

export const zShape = z.array(zCount).min(1).max(4);

/** An array in a file that several processes read: C order, no header. */
export const zArray = z.object({
  path: z.string(),
  dtype: zDtype,
  shape: zShape,
  /** Rises whenever the content changes. */
  version: zCount
});
export type ArrayDescriptor = z.infer<typeof zArray>;

/** A class, or phase. The label arrays contain its id. */
export const zClass = z.object({
  id: zNatural.max(CLASSES_MAX),
  name: z.string().min(1).max(CLASS_NAME_MAX),
  color: z.string().regex(/^#[0-9a-f]{6}$/, 'a colour is written as #rrggbb')
});
export type LabelClass = z.infer<typeof zClass>;

/** The classes of a session or a classifier. Ids are unique, and so are names. */
export const zClasses = z
  .array(zClass)
  .min(1)
  .max(CLASSES_MAX)
  .superRefine((list, context) => {
    const ids = repeated(list.map(({ id }) => id));
    if (ids.length > 0) {
      context.addIssue({
        code: 'custom',
        message: `class ids must differ from each other; more than one is ${ids.join(', ')}`
      });
    }
    const names = repeated(list.map(({ name }) => name));
    if (names.length > 0) {
      const quoted = names.map(name => JSON.stringify(name)).join(', ');
      context.addIssue({
        code: 'custom',
        message: `class names must differ from each other; more than one is ${quoted}`
      });
    }
  });

/** Side of a pixel in some unit, `nm` for example. */
export const zPixelSize = z.object({ value: z.number().positive(), unit: z.string().min(1).max(UNIT_MAX) });
export type PixelSize = z.infer<typeof zPixelSize>;

/** Channels of an image: grey or colour. */
export const zChannels = z.union([z.literal(1), z.literal(3)]);

/** An image or a stack, without its pixels. */
export const zImage = z.object({
  /** [slices, rows, columns, channels]; a single image is one slice. */
  shape: z.tuple([zNatural, zNatural, zNatural, zChannels]),
  dtype: zDtype,
  /** SHA-256 over dtype, shape and pixels. */
  digest: zDigest,
  /** The values shown as black and white. 8-bit images: 0 and 255. Others: the range of nearly all pixels (`sambalab/spec/grey_range.py`). */
  display: z.object({ low: z.number(), high: z.number() }),
  /** Null or absent if unknown. */
  pixelSize: zPixelSize.nullable().optional(),
  /** Lines that tell the user how the image was opened, such as "the largest of 3 images", and that older labels are of another image. */
  notes: z.array(z.string().max(IMAGE_NOTES.length)).max(IMAGE_NOTES.count).optional()
});
export type ImageInfo = z.infer<typeof zImage>;

/** What can be drawn on: the labels, or the correction, which lies on the segmentation. */
export const zLayer = z.enum(['labels', 'correction']);
export type Layer = z.infer<typeof zLayer>;

/** The direction of the slices that `slice`, rows and columns count in; absent: xy. */
export const zDirection = z.enum(SLICE_DIRECTIONS).optional();

/** A tile, named by its tile row and tile column. */
export const zTileRef = z.object({ row: zCount, column: zCount });

/** Some rows and columns; the ends are exclusive. */
export const zRect = z.object({
  row0: zCount,
  row1: zNatural,
  column0: zCount,
  column1: zNatural
}) satisfies z.ZodType<Rect>;

/** A rectangle in one slice; the ends are exclusive. */
export const zSliceRect = zRect.extend({ slice: zCount }) satisfies z.ZodType<SliceRect>;

/** A part of an image or stack; the ends are exclusive. */
export const zRegion = zRect.extend({ slice0: zCount, slice1: zNatural }) satisfies z.ZodType<Region>;

/** The values that occur more than once. */
function repeated<T>(values: readonly T[]): T[] {
  return [...new Set(values.filter((value, i) => values.indexOf(value) !== i))];
}
