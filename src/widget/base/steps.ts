/** Words for the steps that can be undone. */
import { HistoryStep, Provenance } from '../../shared';
import { trans } from './translation';

/** What a step did, for people: "Brush", "Brush on the segmentation", "Labels set (Python)", "Labels opened from grains.tif". */
export function stepText(step: Pick<HistoryStep, 'tool' | 'provenance' | 'layer' | 'file'>): string {
  const { tool, provenance, layer, file } = step;
  const name = (file !== undefined && FROM_FILE[tool]?.(file)) || (WHAT[tool]?.() ?? tool);
  const drawn = layer === 'correction' && !CLEANING.has(tool);
  const what = drawn ? trans.__('%1 on the segmentation', name) : name;
  const who = tool === OPENED ? undefined : WHO[provenance]?.();
  return who ? trans.__('%1 (%2)', what, who) : what;
}

/** Steps that change the correction only, as their names say. */
const CLEANING = new Set(['remove_islands', 'fill_holes', 'majority', 'clear_correction']);

/** Where a step comes from, if that is not a hand. Interpolation and suggestions say it by their own names. */
const WHO: Partial<Record<Provenance, () => string>> = { python: () => trans.__('Python') };

/** The tool of labels that the user opened from a file in the widget: Python only read them. */
const OPENED = 'open_labels';

/** Steps that took the labels of a file. */
const FROM_FILE: Readonly<Record<string, (file: string) => string>> = {
  [OPENED]: file => trans.__('Labels opened from %1', file),
  set_labels: file => trans.__('Labels set from %1', file)
};

/** The tools and commands by the names that they have in a step. A name that is not here is shown as it is. */
const WHAT: Readonly<Record<string, () => string>> = {
  brush: () => trans.__('Brush'),
  eraser: () => trans.__('Eraser'),
  polygon: () => trans.__('Polygon'),
  lasso: () => trans.__('Lasso'),
  flood: () => trans.__('Filled by grey value'),
  suggestion: () => trans.__('SAM suggestion'),
  'copy-slice': () => trans.__('Copied to the next slice'),
  carry: () => trans.__('Object carried through slices'),
  interpolate: () => trans.__('Filled between slices'),
  remove_islands: () => trans.__('Islands removed'),
  fill_holes: () => trans.__('Holes filled'),
  majority: () => trans.__('Majority filter'),
  use_correction: () => trans.__('Correction used as labels'),
  clear_correction: () => trans.__('Correction cleared'),
  classes: () => trans.__('Classes'),
  use_classes: () => trans.__('Class set used'),
  merge_classes: () => trans.__('Classes merged'),
  remove_class: () => trans.__('Class removed'),
  set_labels: () => trans.__('Labels set'),
  [OPENED]: () => trans.__('Labels opened from a file'),
  fresh: () => trans.__('Labels set aside'),
  restore: () => trans.__('Backup restored'),
  take_labels: () => trans.__('Labels of another session'),
  classifier: () => trans.__('Classes of a classifier')
};
