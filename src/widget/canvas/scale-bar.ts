/** The scale bar over the image: a round length that is wide enough to read and not too wide, in the unit in which it is a small number. */
import { PixelSize } from '../../shared';
import { element, setText } from '../base/dom';
import { trans } from '../base/translation';

/** Powers of ten of metres, by the names that files and users give to units. */
const POWERS: Readonly<Record<string, number>> = {
  pm: -12,
  å: -10,
  angstrom: -10,
  ångström: -10,
  nm: -9,
  nanometer: -9,
  nanometre: -9,
  um: -6,
  µm: -6, // micro sign
  μm: -6, // Greek letter
  micron: -6,
  microns: -6,
  micrometer: -6,
  micrometre: -6,
  mm: -3,
  millimeter: -3,
  millimetre: -3,
  cm: -2,
  m: 0,
  km: 3
};

/** The units that the bar is given in. */
const UNITS: readonly (readonly [number, string])[] = [
  [3, 'km'],
  [0, 'm'],
  [-3, 'mm'],
  [-6, 'µm'],
  [-9, 'nm'],
  [-12, 'pm']
];

/** Widest bar in CSS pixels, and the widest part of the view. */
const WIDEST = 160;
const PART = 0.3;

/** A bar. */
export interface IBar {
  /** Its length with the unit. */
  text: string;
  /** CSS pixels. */
  width: number;
}

/**
 * The longest bar of 1, 2 or 5 times a power of ten that is at most `widest` wide.
 *
 * @param scale CSS pixels for each pixel of the image
 */
export function barOf({ value, unit }: PixelSize, scale: number, widest: number): IBar {
  const power = POWERS[unit.toLowerCase()];
  // In metres, or in the unit that is not known.
  const pixel = power === undefined ? value : value * 10 ** power;
  const most = (widest * pixel) / scale;
  let exponent = Math.floor(Math.log10(most));
  // The next power may be reached but for rounding.
  exponent += 10 ** (exponent + 1) <= most * (1 + 1e-9) ? 1 : 0;
  const digit = [5, 2, 1].find(one => one * 10 ** exponent <= most * (1 + 1e-9)) ?? 1;
  const width = ((digit * 10 ** exponent) / pixel) * scale;
  if (power === undefined) {
    const decimals = Math.max(0, -exponent);
    return { text: `${(digit * 10 ** exponent).toFixed(Math.min(decimals, 20))} ${unit}`, width };
  }
  const [base, name] = UNITS.find(([least]) => exponent >= least) ?? UNITS[UNITS.length - 1]!;
  const decimals = Math.max(0, base - exponent);
  return { text: `${(digit * 10 ** (exponent - base)).toFixed(Math.min(decimals, 20))} ${name}`, width };
}

/** The bar of one view. */
export class ScaleBar {
  /** The bar's element, to lie over the image. */
  readonly node = element('div', { class: 'sambalab-scale-bar', role: 'img', 'data-testid': 'sambalab-scale-bar' });

  constructor() {
    this.node.append(this._text, this._line);
    this.node.hidden = true;
  }

  /** Show the bar of a view; hide it (null) if the size of a pixel is not known. */
  show(pixelSize: PixelSize | null | undefined, scale: number, viewWidth: number): void {
    this.node.hidden = !pixelSize || viewWidth === 0;
    if (pixelSize && viewWidth > 0) {
      const { text, width } = barOf(pixelSize, scale, Math.min(WIDEST, viewWidth * PART));
      setText(this._text, text);
      this._line.style.width = `${width}px`;
      this.node.setAttribute('aria-label', trans.__('Scale bar: %1', text));
    }
  }

  private readonly _text = element('span', {});
  private readonly _line = element('div', { class: 'sambalab-scale-line' });
}
