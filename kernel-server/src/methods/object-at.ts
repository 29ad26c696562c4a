/** The handler that finds the object at a pixel. */
import { BridgeError } from '../../../src/shared/errors';
import { OBJECT_SIDE_MAX } from '../../../src/shared/limits';
import { TileFile } from '../arrays/tile-file';
import { objectAt } from '../session/object-at';
import { Handlers } from '../transport/dispatcher';
import { IMethodContext } from './context';

export function objectAtHandlers({ sessions }: IMethodContext) {
  return {
    'object.at': async ({ session: id, slice, row, column }) => {
      const session = await sessions.get(id);
      session.checkSlice(slice);
      const [, rows, columns] = session.record.image.shape;
      if (row >= rows || column >= columns) {
        throw new BridgeError('invalid', `The pixel (${row}, ${column}) is outside the image of ${rows} × ${columns}.`);
      }
      const segmentation = session.array('segmentation');
      const file = new TileFile((segmentation ?? session.array('labels'))!, 'r');
      try {
        const found = await objectAt(file, slice, row, column);
        if (found === null) {
          const why = segmentation ? 'neither the segmentation nor a label' : 'no label';
          throw new BridgeError('invalid', `There is ${why} at the pixel (${row}, ${column}).`);
        }
        if (found === 'large') {
          throw new BridgeError(
            'invalid',
            `The object at the pixel (${row}, ${column}) has more than ${OBJECT_SIDE_MAX} rows or columns; a smaller one will do.`
          );
        }
        return { result: { ...found, of: segmentation ? ('segmentation' as const) : ('labels' as const) } };
      } finally {
        file.close();
      }
    }
  } satisfies Partial<Handlers>;
}
