/** The registry of the side panel's sections, one line each. Sections of the same place appear in this order. */
import { classesSection } from './classes-section';
import { classifierSection } from './classifier-section';
import { featuresSection } from './features-section';
import { forestSection } from './forest-section';
import { historySection } from './history-section';
import { opacitySection } from './opacity-section';
import { previewSection } from './preview-section';
import { scoresSection } from './scores-section';
import { ISection } from './section';
import { sessionSection } from './session-section';
import { trainingSection } from './training-section';
import { uncertaintySection } from './uncertainty-section';

export const SECTIONS: readonly ISection[] = [
  classesSection,
  opacitySection,
  historySection,
  scoresSection,
  uncertaintySection,
  featuresSection,
  previewSection,
  forestSection,
  classifierSection,
  sessionSection,
  trainingSection
];
