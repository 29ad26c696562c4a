import { IPromptModel } from './manifest';
import { SAM_DECODER, samLike } from './sam';

/**
 * HQ-SAM (Ke et al., "Segment Anything in High Quality", 2023): SAM with a head that sees the encoder's four global attention blocks as well. The
 * decoder takes them as `interm_embeddings` and gives one mask (`scripts/export_onnx_model.py` of SysCV/sam-hq).
 */
function hqSam(id: string, title: string, channels: number): IPromptModel {
  const sam = samLike(id, title, 'Apache-2.0');
  return {
    ...sam,
    contract:
      'SysCV/sam-hq, scripts/export_onnx_model.py; the encoder with the outputs image_embeddings and interm_embeddings',
    decoder: {
      ...SAM_DECODER,
      features: [{ input: 'interm_embeddings', tensor: 'interm_embeddings', shape: [4, 1, 64, 64, channels] }],
      masks: 1,
      scales: [0, 0, 0],
      single: 0
    }
  };
}

/** Channels are those of the encoder's blocks. */
export const HQ_SAM: readonly IPromptModel[] = [
  hqSam('hq-sam-vit-b', 'HQ-SAM ViT-B', 768),
  hqSam('hq-sam-vit-l', 'HQ-SAM ViT-L', 1024),
  hqSam('hq-sam-vit-h', 'HQ-SAM ViT-H', 1280)
];
