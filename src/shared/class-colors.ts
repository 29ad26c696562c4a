/** The default colours of classes. Python reads them from `limits.json`. */
import { CLASSES_MAX } from './limits';

/** M. Okabe and K. Ito, Color Universal Design (2008), without black; the brightest contrasts first. */
const OKABE_ITO = ['#e69f00', '#56b4e9', '#009e73', '#cc79a7', '#0072b2', '#d55e00', '#f0e442'];

/** Step between the hues of further classes, in turns: the golden section never repeats a hue. */
const HUE_STEP = 0.6180339887498949;
const LIGHTNESS = [0.45, 0.6, 0.35];
const SATURATION = 0.65;

/** The colour of the class of index 0, 1, …: Okabe and Ito's seven, then others of alternating lightness. `#rrggbb`. */
export const CLASS_COLORS: readonly string[] = Array.from({ length: CLASSES_MAX }, (_, index) => {
  const step = index - OKABE_ITO.length;
  return OKABE_ITO[index] ?? hslColor(0.05 + step * HUE_STEP, SATURATION, LIGHTNESS[step % LIGHTNESS.length]!);
});

/** `#rrggbb` of a hue in turns, a saturation and a lightness from 0 to 1 (CSS Color 4, 7.1). */
function hslColor(hue: number, saturation: number, lightness: number): string {
  const spread = saturation * Math.min(lightness, 1 - lightness);
  const channel = (n: number) => {
    const k = (n + hue * 12) % 12;
    const value = lightness - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(value * 255)
      .toString(16)
      .padStart(2, '0');
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}
