/** The eraser: a brush that removes labels. */
import { trans } from '../../base/translation';
import { BrushHandler, turnBrush } from './brush';
import { ITool } from './tool';

export const eraser: ITool = {
  name: 'eraser',
  get title() {
    return trans.__('Eraser');
  },
  get description() {
    return trans.__('Erase labels; Shift erases along a straight line from the last stroke');
  },
  key: 'e',
  icon: '<path d="m2.600 10 6.800-6.800a1 1 0 0 1 1.400 0l2.400 2.400a1 1 0 0 1 0 1.400L7.600 12.600H5.200z"/><path d="m5.900 6.700 3.900 3.900M7.600 12.600h6"/>',
  cursor: 'none',
  settings: ['brushSize', 'erases'],
  turned: turnBrush,
  create: host => new BrushHandler(host, true)
};
