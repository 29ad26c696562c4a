/** Version of a feature spec (`features.ts`). A spec with another version is refused. */
export const FEATURE_SPEC_VERSION = 1;
/** Version of a classifier document (`engine/core/classifier.ts`). A document with another version is refused. */
export const CLASSIFIER_VERSION = 1;
