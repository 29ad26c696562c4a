/**
 * What a user should know before trusting a classifier on an image unlike those that it was trained on. `sambalab/spec/trained_on.py` says the same in Python,
 * with the same limits.
 */
import { ImageInfo, PixelSize, TrainedOn } from '../../../src/shared/protocol';
import type { GreyRange } from '../arrays/display-range';

/** Metres in a unit of length. */
const METRES: Record<string, number> = {
  m: 1,
  cm: 1e-2,
  mm: 1e-3,
  um: 1e-6,
  µm: 1e-6,
  μm: 1e-6,
  micron: 1e-6,
  nm: 1e-9,
  Å: 1e-10,
  pm: 1e-12
};
/** Pixels whose sizes differ by less are alike. */
const ALIKE = 0.05;
/** Of two ranges that mean the same, the wider is at most so many times the narrower, and they share at least half of the narrower. */
const WIDER = 4;
const SHARED = 0.5;

/** What a classifier knows about the images that it was trained on. */
export interface IKnown {
  standardised: boolean;
  trainedOn: TrainedOn | null;
  pixelSize: PixelSize | null;
}

/**
 * Sentences about differences that change the result; empty if there are none or they are unknown.
 *
 * @param range the image's grey range
 */
export function differences(known: IKnown, image: Pick<ImageInfo, 'dtype' | 'pixelSize'>, range: GreyRange): string {
  const { standardised, trainedOn, pixelSize } = known;
  const sentences: string[] = [];
  if (trainedOn && !standardised && (!trainedOn.dtypes.includes(image.dtype) || unlike(trainedOn, range))) {
    sentences.push(
      `The classifier was trained on images of ${trainedOn.dtypes.join(' and ')} with grey values from ${brief(trainedOn.low)} to ${brief(trainedOn.high)}; ` +
        `this image is ${image.dtype} from ${brief(range.low)} to ${brief(range.high)}. It does not standardise pixels, so scale the image to that range, ` +
        'or train with standardised features.'
    );
  }
  const ratio = pixelSize && image.pixelSize ? pixelRatio(image.pixelSize, pixelSize) : 1;
  if (Math.abs(Math.log(ratio)) > ALIKE) {
    const text = ({ value, unit }: PixelSize) => `${brief(value)} ${unit}`;
    sentences.push(
      `The classifier was trained on pixels of ${text(pixelSize!)}; those of this image are ${text(image.pixelSize!)}. ` +
        'Classifier.apply(image, rescale=True) in Python resamples.'
    );
  }
  return sentences.join(' ');
}

/** How many times as large a pixel is as another; 1 if their units have nothing in common. */
function pixelRatio(one: PixelSize, other: PixelSize): number {
  const [a, b] = [METRES[one.unit], METRES[other.unit]];
  if (a !== undefined && b !== undefined) {
    return (one.value * a) / (other.value * b);
  }
  return one.unit === other.unit ? one.value / other.value : 1;
}

function unlike(one: GreyRange, other: GreyRange): boolean {
  const widths = [one.high - one.low, other.high - other.low];
  const narrow = Math.min(...widths);
  const shared = Math.min(one.high, other.high) - Math.max(one.low, other.low);
  return shared < SHARED * narrow || Math.max(...widths) > WIDER * narrow;
}

function brief(value: number): string {
  return String(Number(value.toPrecision(4)));
}
