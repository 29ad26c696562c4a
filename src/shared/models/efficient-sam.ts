import { IPromptModel } from './manifest';

/**
 * EfficientSAM (Xiong et al., "EfficientSAM", 2024). The encoder takes values of 0–1 and normalises them itself. The decoder takes no mask, has not
 * learned points outside of the object, and knows six points at most, of which a box's corners are two. Its masks are of the size that it is told, and
 * so are its coordinates; it is told that of its own low-resolution masks, so that nothing is interpolated twice.
 */
function efficientSam(id: string, title: string): IPromptModel {
  return {
    id,
    title,
    license: 'Apache-2.0',
    contract: 'yformer/EfficientSAM, export_to_onnx.py and onnx_models.py, with a dynamic number of points',
    encoder: {
      size: 1024,
      input: 'batched_images',
      mean: [0, 0, 0],
      std: [255, 255, 255],
      layers: { output: { title: 'Output', tensor: 'image_embeddings', shape: [256, 64, 64] } }
    },
    decoder: {
      inputs: {
        embedding: 'image_embeddings',
        coordinates: 'batched_point_coords',
        labels: 'batched_point_labels',
        size: { name: 'orig_im_size', type: 'int64' }
      },
      outputs: { masks: 'output_masks', scores: 'iou_predictions' },
      masks: 3,
      maskSize: 256,
      scales: [0, 1, 2],
      single: null,
      pad: false,
      pointAxes: 4,
      coordinates: 'masks',
      coordinateOffset: 0.5,
      negative: false,
      maxPoints: 4
    }
  };
}

export const EFFICIENT_SAM: readonly IPromptModel[] = [
  efficientSam('efficient-sam-ti', 'EfficientSAM Ti'),
  efficientSam('efficient-sam-s', 'EfficientSAM S')
];
