/**
 * The colours of uncertainty: from nearly black for none through purple and orange to pale yellow. Equal steps of uncertainty are
 * equal steps of lightness, so the order is visible without a legend, in grey, and to colour-blind eyes.
 *
 * Lightness, chroma and hue are those of OKLCh: Ottosson, "A perceptual color space for image processing" (2020), whose two matrices
 * convert OKLab to linear sRGB. The transfer function is that of IEC 61966-2-1. Chroma is reduced until sRGB has the colour.
 */

/** Lightness at both ends. */
const DARKEST = 0.14;
const LIGHTEST = 0.96;
/** Hue in degrees at both ends: purple, through red (360), to yellow. */
const FROM = 292;
const TO = 468;
const CHROMA = 0.2;

/** The lightness of an uncertainty from 0 to 1. */
export function uncertaintyLightness(value: number): number {
  return DARKEST + (LIGHTEST - DARKEST) * value;
}

/** Red, green and blue, 0 to 255, of an uncertainty from 0 to 1. */
export function uncertaintyColor(value: number): [number, number, number] {
  const hue = ((FROM + (TO - FROM) * value) * Math.PI) / 180;
  // No chroma at the dark end, little at the light one.
  let chroma = CHROMA * Math.sin(Math.PI * Math.min(value * 0.85 + 0.04, 1)) ** 0.7;
  for (;;) {
    const rgb = toLinear(uncertaintyLightness(value), chroma * Math.cos(hue), chroma * Math.sin(hue));
    if (chroma < 0.002 || rgb.every(part => part >= -1e-4 && part <= 1.0001)) {
      return rgb.map(toByte) as [number, number, number];
    }
    chroma *= 0.97;
  }
}

/** The 256 colours as 32-bit RGBA pixels in memory order, opaque. */
export function makeUncertaintyPalette(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const [red, green, blue] = uncertaintyColor(level / 255);
    return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

/** The colours as a CSS gradient, for a legend. */
export function uncertaintyGradient(): string {
  const stops = Array.from({ length: 17 }, (_, i) => `rgb(${uncertaintyColor(i / 16).join(' ')})`);
  return `linear-gradient(90deg, ${stops.join(', ')})`;
}

function toLinear(lightness: number, a: number, b: number): [number, number, number] {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s
  ];
}

function toByte(linear: number): number {
  const value = Math.min(Math.max(linear, 0), 1);
  return Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
}
