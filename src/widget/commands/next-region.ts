/** Goes to where labels help most. */
import { CanvasView } from '../canvas/canvas';
import { LabellerState } from '../state/labeller-state';

/** Bring the next region where labels would help into this view. */
export async function goToNextRegion(state: LabellerState, canvas: CanvasView): Promise<void> {
  // A user who presses the pointer before the answer comes works elsewhere: leave the view there.
  const leave = () => state.parts?.guide.leave();
  canvas.node.addEventListener('pointerdown', leave);
  try {
    const region = await state.nextRegion();
    if (region) {
      canvas.navigation.lookAt(region);
    }
  } finally {
    canvas.node.removeEventListener('pointerdown', leave);
  }
}
