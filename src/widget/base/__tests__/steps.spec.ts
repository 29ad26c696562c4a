/** The words of the list of steps. */
import { stepText } from '../steps';

it('says where labels come from: a tool, Python, or a file by its name', () => {
  const python = { provenance: 'python' } as const;
  expect(stepText({ provenance: 'hand', tool: 'brush' })).toBe('Brush');
  expect(stepText({ provenance: 'hand', tool: 'brush', layer: 'correction' })).toBe('Brush on the segmentation');
  expect(stepText({ ...python, tool: 'set_labels' })).toBe('Labels set (Python)');
  expect(stepText({ ...python, tool: 'set_labels', file: 'grains.tif' })).toBe('Labels set from grains.tif (Python)');
  expect(stepText({ ...python, tool: 'open_labels', file: 'grains.tif' })).toBe('Labels opened from grains.tif');
  expect(stepText({ ...python, tool: 'open_labels' })).toBe('Labels opened from a file');
});
