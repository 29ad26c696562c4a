/** What the encoder is given: an image, the part and the contrast that SAM sees of it, and the keys of what comes out of it. */
import type { IEmbeddingBasis } from '../../../engine/core/embedding';
import type { Contrast } from '../../../src/shared/contrast';
import { BridgeError } from '../../../src/shared/errors';
import { EmbeddingSpec, featureSpec, withImage } from '../../../src/shared/features';
import type { ArrayDescriptor, ImageInfo } from '../../../src/shared/protocol';
import { areaOf, overlapArea, Rect } from '../../../src/shared/rect';
import { cutShape, rectOf } from '../../../src/shared/region';
import { ISeenContrast, PROMPT_INPUT_VERSION } from '../../../src/sam';
import { basisKey } from '../base/basis-key';
import type { ISamService } from '../jobs/services';
import type { Session } from '../session/session';

/** An image at the time when something of it was asked for. */
export interface IEncoderSource {
  /** The session's {@link Session.promptGeneration}; absent if it is not a session's image. */
  generation?: number;
  /** The rows and columns that the encoder sees, as an image of their own; absent: all. */
  within?: Rect;
  image: ArrayDescriptor;
  display: ImageInfo['display'];
  /** What SAM sees for prompts, as the user shows it; absent: the range `display`. */
  contrast?: Contrast;
  /** Names the image's content, for this session. */
  key: string;
  /** The digest of the image; empty for an image that is handed over, whose results are not kept. */
  content: string;
}

/** A session's image, as it is worked on and shown now. */
export function sourceOf(session: Session): IEncoderSource {
  const { image, promptGeneration: generation } = session;
  const { digest, display, shape } = session.record.image;
  const { region, contrast } = session.record;
  const within = region && rectOf(region, shape);
  return {
    generation,
    ...(within && { within }),
    image,
    display,
    ...(contrast && { contrast }),
    key: `${session.id}/${digest}/${within ? Object.values(within).join('-') : ''}/`,
    content: digest
  };
}

/** What SAM sees for prompts. */
export function seenContrast({ contrast, display }: IEncoderSource): ISeenContrast {
  return contrast ?? display;
}

/** A session's image as the encoder sees it. */
export function seenImage({ record: { image, region } }: Session): ImageInfo {
  return { ...image, shape: cutShape(image.shape, region) };
}

/** The spec with its window, which the image decides if it is null. */
export function completeSpec(
  spec: EmbeddingSpec,
  image: { dtype: string; display: ImageInfo['display']; shape: readonly number[] }
): EmbeddingSpec {
  return spec.window === null ? withImage(featureSpec({ families: {}, embedding: spec }), image).embedding! : spec;
}

/** Names what an embedding for prompts depends on, for ever: content, place and contrast of the pixels, and the model. */
export function embeddingKey(
  source: IEncoderSource,
  slice: number,
  part: Rect | undefined,
  { encoder }: ISamService
): string {
  const key = encodedKey(source, slice, part, encoder.digest);
  return source.contrast ? JSON.stringify(['contrast', source.contrast, key]) : key;
}

/** The same for the maps of a window under a basis, which are of the image as it is. */
export function windowMapsKey(
  source: IEncoderSource,
  slice: number,
  { window: side, views, layers }: EmbeddingSpec,
  basis: IEmbeddingBasis,
  window: number,
  { encoder }: ISamService
): string {
  const key = encodedKey(source, slice, source.within, encoder.digest);
  return JSON.stringify(['maps', key, side, window, views, layers, basisKey(basis)]);
}

function encodedKey({ content, display }: IEncoderSource, slice: number, part: Rect | undefined, digest: string) {
  const { low, high } = display;
  return JSON.stringify(['embedding', PROMPT_INPUT_VERSION, content, slice, part ?? null, low, high, digest]);
}

/** Names a slice's maps in memory. Those of a session begin with its id. */
export function sliceMapsKey(
  { display, key }: IEncoderSource,
  slice: number,
  { window, views }: EmbeddingSpec,
  basis: IEmbeddingBasis
): string {
  return `${key}${display.low},${display.high}/${slice}/${window}/${views}/${basisKey(basis)}`;
}

/** Throws BridgeError `invalid` for a window that does not lie in the rows and columns that SAM sees. */
export function checkWindow(window: Rect, seen: Rect): void {
  const { row0, row1, column0, column1 } = window;
  if (row0 >= row1 || column0 >= column1 || overlapArea(window, seen) < areaOf(window)) {
    throw new BridgeError(
      'invalid',
      `The window has rows ${row0} to ${row1} and columns ${column0} to ${column1}; it must lie in rows ${seen.row0} to ${seen.row1} and ` +
        `columns ${seen.column0} to ${seen.column1}.`
    );
  }
}
