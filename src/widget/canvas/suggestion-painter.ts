/** Draws the suggestion, and the objects that are proposed, over the image: area and outline. Their pictures are kept for moves of the view. */
import { Rect } from '../../shared';
import { chooseLevel, levelSize, ViewTransform } from '../base/geometry';
import { LabellerState } from '../state/labeller-state';
import { SessionParts } from '../state/session-parts';
import { makePalette } from '../tiles/lut';
import { isHidden, isWeak } from '../state/weak-suggestions';
import { outline, polygons } from '../tiles/outline';

/** Margin around the view, in pixels of the level, for which the suggestion is rendered too: small moves of the view reuse it. */
const MARGIN = 64;

/** Lengths of the dashes around a suggestion of which SAM is not sure, and of the gaps, in CSS pixels. */
const DASHES = [6, 6];

/** A mask over the image: a suggestion, or several. */
interface IMask {
  readonly bounds: Rect;
  region(region: Rect, level: number): Uint8Array;
}

/** The picture of the mask that was drawn last. */
interface IMaskPicture {
  mask: IMask;
  level: number;
  color: string;
  dashed: boolean;
  region: Rect;
  canvas: HTMLCanvasElement;
  outline: Path2D;
}

/** The painter of the suggestion and of the proposed objects in one view. */
export class SuggestionPainter {
  constructor(
    private readonly _state: LabellerState,
    view: ViewTransform
  ) {
    this._proposed = new MaskPainter(_state, view);
    this._suggested = new MaskPainter(_state, view);
  }

  /** Draw them; the context is in CSS pixels. */
  paint(context: CanvasRenderingContext2D, ratio: number): void {
    const { parts, settings } = this._state;
    const suggestion = parts?.suggestions.current ?? null;
    const { values } = settings;
    const hidden = suggestion && isHidden(suggestion, parts?.suggestions.held !== null, values);
    const dashed = suggestion !== null && values.weakSuggestions !== 'same' && isWeak(suggestion, values);
    this._proposed.paint(context, ratio, parts?.similar.on(this._state.slice) ?? null, false);
    this._suggested.paint(context, ratio, hidden ? null : suggestion, dashed);
  }

  private readonly _proposed: MaskPainter;
  private readonly _suggested: MaskPainter;
}

/** Draws one mask in one view. */
class MaskPainter {
  constructor(
    private readonly _state: LabellerState,
    private readonly _view: ViewTransform
  ) {}

  paint(context: CanvasRenderingContext2D, ratio: number, mask: IMask | null, dashed: boolean): void {
    const { parts } = this._state;
    const color = this._state.currentClass?.color ?? '#ffffff';
    if (!parts || !mask) {
      this._kept = null;
      return;
    }
    const level = chooseLevel(parts.image, this._view.scale * ratio);
    const kept = this._picture(parts, mask, level, color, dashed);
    if (!kept) {
      return;
    }
    const by = 2 ** level;
    const { region } = kept;
    const from = this._view.toScreen({ x: region.column0 * by, y: region.row0 * by });
    const size = by * this._view.scale;
    context.imageSmoothingEnabled = false;
    context.globalAlpha = 0.42;
    context.drawImage(
      kept.canvas,
      from.x,
      from.y,
      (region.column1 - region.column0) * size,
      (region.row1 - region.row0) * size
    );
    context.globalAlpha = 1;
    context.save();
    context.translate(from.x, from.y);
    context.scale(size, size);
    // Lines that end in squares meet in full corners; round ends would take several times as long to draw.
    context.lineJoin = 'miter';
    context.lineCap = dashed ? 'butt' : 'square';
    context.lineWidth = 3.5 / size;
    context.strokeStyle = 'rgba(0, 0, 0, 0.6)';
    context.stroke(kept.outline);
    context.lineWidth = 1.75 / size;
    context.strokeStyle = color;
    if (dashed) {
      context.setLineDash(DASHES.map(length => length / size));
    }
    context.stroke(kept.outline);
    context.restore();
  }

  private _picture(
    parts: SessionParts,
    mask: IMask,
    level: number,
    color: string,
    dashed: boolean
  ): IMaskPicture | null {
    const needed = this._reduced(parts, mask, level, 0);
    const kept = this._kept;
    if (
      kept?.mask === mask &&
      kept.level === level &&
      kept.color === color &&
      kept.dashed === dashed &&
      covers(kept.region, needed)
    ) {
      return kept;
    }
    const region = this._reduced(parts, mask, level, MARGIN);
    const rows = region.row1 - region.row0;
    const columns = region.column1 - region.column0;
    if (rows <= 0 || columns <= 0) {
      return null;
    }
    const inside = mask.region(region, level);
    const canvas = document.createElement('canvas');
    canvas.width = columns;
    canvas.height = rows;
    const data = new ImageData(columns, rows);
    const pixels = new Uint32Array(data.data.buffer);
    const pixel = makePalette([{ id: 1, color }])[1]!;
    for (let i = 0; i < inside.length; i++) {
      pixels[i] = inside[i] ? pixel : 0;
    }
    canvas.getContext('2d')!.putImageData(data, 0, 0);
    const path = new Path2D();
    const lines = outline(inside, rows, columns);
    for (let i = 0; i < lines.length && !dashed; i += 4) {
      path.moveTo(lines[i]!, lines[i + 1]!);
      path.lineTo(lines[i + 2]!, lines[i + 3]!);
    }
    for (const polygon of dashed ? polygons(lines) : []) {
      path.moveTo(polygon[0]!, polygon[1]!);
      for (let i = 2; i < polygon.length; i += 2) {
        path.lineTo(polygon[i]!, polygon[i + 1]!);
      }
      path.closePath();
    }
    this._kept = { mask, level, color, dashed, region, canvas, outline: path };
    return this._kept;
  }

  /** The part of a mask in view, with a margin, in pixels of a level. */
  private _reduced(parts: SessionParts, { bounds }: IMask, level: number, margin: number): Rect {
    const by = 2 ** level;
    const size = levelSize(parts.image, level);
    const visible = this._view.visible();
    return {
      row0: Math.max(Math.floor(bounds.row0 / by), Math.floor(visible.row0 / by) - margin, 0),
      row1: Math.min(Math.ceil(bounds.row1 / by), Math.ceil(visible.row1 / by) + margin, size.rows),
      column0: Math.max(Math.floor(bounds.column0 / by), Math.floor(visible.column0 / by) - margin, 0),
      column1: Math.min(Math.ceil(bounds.column1 / by), Math.ceil(visible.column1 / by) + margin, size.columns)
    };
  }

  private _kept: IMaskPicture | null = null;
}

function covers(outer: Rect, inner: Rect): boolean {
  return (
    outer.row0 <= inner.row0 &&
    outer.row1 >= inner.row1 &&
    outer.column0 <= inner.column0 &&
    outer.column1 >= inner.column1
  );
}
