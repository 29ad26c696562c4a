import { IPromptModel } from './manifest';

/** SAM's normalisation (`modeling/sam.py` of segment-anything): ImageNet's means and deviations, in units of 0–255. */
export const SAM_INPUT: Pick<IPromptModel['encoder'], 'size' | 'mean' | 'std'> = {
  size: 1024,
  mean: [123.675, 116.28, 103.53],
  std: [58.395, 57.12, 57.375]
};

/** The decoder as the reference exports it, with all four masks: `scripts/export_onnx_model.py` without `--return-single-mask`. */
export const SAM_DECODER: IPromptModel['decoder'] = {
  inputs: {
    embedding: 'image_embeddings',
    coordinates: 'point_coords',
    labels: 'point_labels',
    mask: 'mask_input',
    hasMask: 'has_mask_input',
    size: { name: 'orig_im_size', type: 'float32' }
  },
  outputs: { masks: 'low_res_masks', scores: 'iou_predictions' },
  masks: 4,
  maskSize: 256,
  scales: [1, 2, 3],
  single: 0,
  pad: true,
  coordinateOffset: 0.5,
  maxPoints: 64
};

/** The embedding that all models with SAM's decoder have. */
export const SAM_OUTPUT = { title: 'Output', tensor: 'image_embeddings', shape: [256, 64, 64] } as const;

const CONTRACT =
  'samexporter, export_encoder.py, with or without --use-preprocess; segment-anything, scripts/export_onnx_model.py';

/** A model with SAM's encoder and decoder, whatever it was trained on. */
export function samLike(id: string, title: string, license: string): IPromptModel {
  return {
    id,
    title,
    license,
    contract: CONTRACT,
    encoder: {
      ...SAM_INPUT,
      input: 'input_image',
      layouts: ['NCHW', 'HWC'],
      layers: { output: { ...SAM_OUTPUT, shape: [...SAM_OUTPUT.shape] } }
    },
    decoder: SAM_DECODER
  };
}

/** SAM (Kirillov et al., "Segment Anything", 2023) in its three sizes: 94, 313 and 642 million parameters. */
export const SAM: readonly IPromptModel[] = [
  samLike('sam-vit-b', 'SAM ViT-B', 'Apache-2.0'),
  samLike('sam-vit-l', 'SAM ViT-L', 'Apache-2.0'),
  samLike('sam-vit-h', 'SAM ViT-H', 'Apache-2.0')
];
