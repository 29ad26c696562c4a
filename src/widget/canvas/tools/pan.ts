/** The hand: dragging moves the image. The canvas does it, as with the Space bar. */
import { trans } from '../../base/translation';
import { ITool } from './tool';

export const pan: ITool = {
  name: 'pan',
  get title() {
    return trans.__('Move');
  },
  get description() {
    return trans.__('Drag the image; with any tool, hold Space and drag');
  },
  key: 'm',
  icon: '<path d="M8 2v12M2 8h12M6.200 3.800 8 2l1.800 1.800M6.200 12.200 8 14l1.800-1.800M3.800 6.200 2 8l1.800 1.800M12.200 6.200 14 8l-1.800 1.800"/>',
  cursor: 'grab',
  pans: true,
  settings: [],
  create: () => ({ press: () => undefined })
};
