/**
 * The feature families, one line an op. `program.ts` knows none of them by name.
 *
 * A new family is a row in `src/shared/features.json`, a file here, and a line below: the op's number in that table, its number of
 * channels, its reach and its kernel. If ONNX can express it, it has a line in `engine/onnx/features.ts` as well.
 *
 * Files of this folder import the files of `assembly` (tile, planes, arena) and each other's helpers, but not this file.
 *
 * - bilateral, diffusion, entropy, gabor, kuwahara, lipschitz, membrane, neighbours: the family of that name
 * - derivatives: mixed derivatives and the Laplacian
 * - discs: mean, variance, minimum, maximum over a disc; rank: the median; slide: a disc that slides over a tile
 * - edges: Sobel and the Hessian; structure: the structure tensor
 * - gaussian: the pixels themselves, Gaussians and their differences
 */
import { family } from '../family';
import { bilateral, bilateralReach } from './bilateral';
import { derivativeReach, derivatives, laplacian, laplacianReach } from './derivatives';
import { anisotropicDiffusion, diffusionReach } from './diffusion';
import { maximum, mean, minimum, overDiscReach, variance } from './discs';
import { hessian, hessianOrientation, hessianReach, sobel, sobelReach } from './edges';
import { entropy } from './entropy';
import { gabor, gaborReach } from './gabor';
import { differenceOfGaussians, differenceReach, gaussian, gaussianReach, noReach, original } from './gaussian';
import { kuwahara, kuwaharaReach } from './kuwahara';
import { lipschitz, lipschitzReach } from './lipschitz';
import { membrane, membraneReach } from './membrane';
import { neighbours, neighboursReach } from './neighbours';
import { median } from './rank';
import { planStructure, structureReach, structureTensor } from './structure';

family(0, 1, noReach, original);
family(1, 1, gaussianReach, gaussian);
family(2, 1, sobelReach, sobel);
family(3, 5, hessianReach, hessian);
family(4, 3, hessianReach, hessianOrientation);
family(5, 1, differenceReach, differenceOfGaussians);
family(6, 6, membraneReach, membrane);
family(7, 1, overDiscReach, mean);
family(8, 1, overDiscReach, variance);
family(9, 1, overDiscReach, minimum);
family(10, 1, overDiscReach, maximum);
family(11, 1, overDiscReach, median);
family(12, 1, bilateralReach, bilateral);
family(13, 1, derivativeReach, derivatives);
family(14, 1, laplacianReach, laplacian);
family(15, 2, structureReach, structureTensor, planStructure);
family(16, 1, overDiscReach, entropy);
family(17, 8, neighboursReach, neighbours);
family(18, 3, kuwaharaReach, kuwahara);
family(19, 4, gaborReach, gabor);
family(20, 1, lipschitzReach, lipschitz);
family(21, 1, diffusionReach, anisotropicDiffusion);
