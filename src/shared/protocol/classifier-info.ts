/** Descriptions of classifiers: what a user chooses for a training, and what a trained classifier tells. */
import { z } from 'zod';
import { zForestRequest, zLearnerParams } from '../learners';
import { NAME_MAX } from '../limits';
import { zChannels, zClasses, zCount, zDigest, zDtype, zNatural } from './types';

/**
 * The features that the classifier uses: a complete spec (`features.ts`), or changes to the default set. `featureSpec` checks it, which knows all
 * families.
 */
export const zFeatureChoice = z.record(z.string().max(NAME_MAX), z.unknown());
export type FeatureChoice = z.infer<typeof zFeatureChoice>;

/** A user's choice for the next training: features and learner, each on top of its default. */
export const zTrainingChoice = z.object({ features: zFeatureChoice, forest: zForestRequest });
export type TrainingChoice = z.infer<typeof zTrainingChoice>;

/** How well a classifier does on labelled pixels that it did not learn from. */
export const zScores = z.object({
  /** Forests: each pixel is judged by the trees that did not draw it. Boosting: strokes that were held out to find the number of rounds. */
  source: z.enum(['out-of-bag', 'held-out']),
  /** Pixels [labelled class][predicted class], both in the order of the classes. */
  confusion: z.array(z.array(zCount))
});
export type Scores = z.infer<typeof zScores>;

/** The model whose embedding a classifier uses. */
export const zEmbeddingModel = z.object({
  model: z.string().max(NAME_MAX),
  /** SHA-256 of the encoder's file. */
  digest: zDigest
});
export type EmbeddingModel = z.infer<typeof zEmbeddingModel>;

/** The pixels of the images that a classifier was trained on. */
export const zTrainedOn = z.object({
  /** Their element types, each once. */
  dtypes: z.array(zDtype).min(1).max(zDtype.options.length),
  /** The grey values of nearly all of their pixels (`sambalab/spec/grey_range.py`), low < high. */
  low: z.number(),
  high: z.number()
});
export type TrainedOn = z.infer<typeof zTrainedOn>;

/** A summary of a trained classifier. */
export const zClassifierInfo = z.object({
  /** Fraction of labelled pixels that are right by the trees that did not draw them; null if each tree drew all pixels. */
  oobScore: z.number().nullable(),
  classes: zClasses,
  /** Names of the features. */
  features: z.array(z.string()),
  trees: zNatural,
  samples: zNatural,
  /** The complete feature spec. */
  spec: zFeatureChoice,
  /** How the trees were grown. */
  forest: zLearnerParams,
  /** Null if unknown. */
  scores: zScores.nullable(),
  /** The model whose embedding is among the features; null if none is. */
  embedding: zEmbeddingModel.nullable(),
  /** What the user should know about the training, for example that the embedding was not ready in time. Absent or empty: nothing. */
  note: z.string().max(1000).optional(),
  /** Mean decrease of impurity of each feature, adding up to 1; null if unknown. */
  importance: z.array(z.number()).nullable(),
  /** Version of the labels that it was trained on; 0 if it was loaded from a file. */
  labelsVersion: zCount,
  seconds: z.number()
});
export type ClassifierInfo = z.infer<typeof zClassifierInfo>;

/** What a foreign forest does not say of itself: its features, and its classes in the order of their numbers from 0. */
export const zForestMeaning = z.object({
  /** Any spec. Its features are the columns of the forest's training data, in their order. */
  features: zFeatureChoice.optional(),
  channels: zChannels,
  classes: zClasses,
  /** The forest's numbers for the classes; absent: the classes' ids. */
  labels: z.array(z.number().int()).optional()
});
export type ForestMeaning = z.infer<typeof zForestMeaning>;
