/** What a feature family is: names, how far it looks, and how it computes its channels on a tile. */
import { TilePlanes } from '../planes';

/** Some channels of the feature stack that are computed together. */
export interface IFeatureGroup {
  readonly names: string[];
  /** Pixels around a tile that its values depend on. */
  readonly halo: number;
  /** Write the channels to consecutive planes, the first at `out`. */
  compute(planes: TilePlanes, out: number): void;
}
