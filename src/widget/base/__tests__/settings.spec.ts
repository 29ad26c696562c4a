import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BRUSH_MAX, BRUSH_MIN, DEFAULT_SETTINGS } from '../settings';

describe('DEFAULT_SETTINGS', () => {
  it('have the defaults and the brush range that JupyterLab’s schema declares', () => {
    const { properties } = JSON.parse(readFileSync(join(__dirname, '../../../../schema/widget.json'), 'utf8'));
    const defaults = Object.entries<{ default: unknown }>(properties).map(([name, property]) => [
      name,
      property.default
    ]);
    expect(Object.fromEntries(defaults)).toEqual(DEFAULT_SETTINGS);
    expect([properties.brushSize.minimum, properties.brushSize.maximum]).toEqual([BRUSH_MIN, BRUSH_MAX]);
  });
});
