import { IPromptModel } from './manifest';
import { samLike } from './sam';

/**
 * micro-sam (Archit et al., "Segment Anything for Microscopy", 2025): SAM and MobileSAM trained further on light and on electron micrographs. Its
 * checkpoints have SAM's form, and its ONNX decoder (`micro_sam/bioimageio/bioengine_export.py`, with `return_single_mask=False`) is the
 * reference's. That file exports the encoder for another runtime, so the encoder is exported as SAM's.
 */
export const MICRO_SAM: readonly IPromptModel[] = [
  samLike('micro-sam-vit-t-lm', 'micro-sam ViT-T, light microscopy', 'CC-BY-4.0'),
  samLike('micro-sam-vit-b-lm', 'micro-sam ViT-B, light microscopy', 'CC-BY-4.0'),
  samLike('micro-sam-vit-l-lm', 'micro-sam ViT-L, light microscopy', 'CC-BY-4.0'),
  samLike('micro-sam-vit-t-em', 'micro-sam ViT-T, organelles in electron microscopy', 'CC-BY-4.0'),
  samLike('micro-sam-vit-b-em', 'micro-sam ViT-B, organelles in electron microscopy', 'CC-BY-4.0'),
  samLike('micro-sam-vit-l-em', 'micro-sam ViT-L, organelles in electron microscopy', 'CC-BY-4.0')
];
