import { IPromptModel } from './manifest';
import { SAM_INPUT } from './sam';

/**
 * SAM 2.1 (Ravi et al., "SAM 2", 2024) for single images. Images fill the whole frame, whatever their shape. The decoder takes two finer levels of the
 * encoder beside the embedding, gives three masks, and pads its prompts itself (samexporter, export_sam2.py and sam2_onnx.py).
 */
function sam2(id: string, title: string): IPromptModel {
  return {
    id,
    title,
    license: 'Apache-2.0',
    contract: 'samexporter, export_sam2.py',
    encoder: {
      ...SAM_INPUT,
      input: 'image',
      resize: 'squash',
      layers: { output: { title: 'Output', tensor: 'image_embed', shape: [256, 64, 64] } }
    },
    decoder: {
      inputs: {
        embedding: 'image_embed',
        coordinates: 'point_coords',
        labels: 'point_labels',
        mask: 'mask_input',
        hasMask: 'has_mask_input'
      },
      features: [
        { input: 'high_res_feats_0', tensor: 'high_res_feats_0', shape: [1, 32, 256, 256] },
        { input: 'high_res_feats_1', tensor: 'high_res_feats_1', shape: [1, 64, 128, 128] }
      ],
      outputs: { masks: 'masks', scores: 'iou_predictions' },
      masks: 3,
      maskSize: 256,
      scales: [0, 1, 2],
      single: null,
      pad: false,
      coordinateOffset: 0.5,
      maxPoints: 64
    }
  };
}

export const SAM_2: readonly IPromptModel[] = [
  sam2('sam2.1-tiny', 'SAM 2.1 tiny'),
  sam2('sam2.1-small', 'SAM 2.1 small'),
  sam2('sam2.1-base-plus', 'SAM 2.1 base+'),
  sam2('sam2.1-large', 'SAM 2.1 large')
];
