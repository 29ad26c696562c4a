/** The registry of the side panel's sections, one line each. Sections of the same place appear in this order. */
import { classesSection } from './classes-section';
import { classifierSection } from './classifier-section';
import { contrastSection } from './contrast-section';
import { correctionSection } from './correction-section';
import { featuresSection } from './features-section';
import { filesSection } from './files-section';
import { forestSection } from './forest-section';
import { historySection } from './history-section';
import { overlaysSection } from './overlays-section';
import { previewSection } from './preview-section';
import { probabilitySection } from './probability-section';
import { scoresSection } from './scores-section';
import { ISection } from './section';
import { sessionSection } from './session-section';
import { suggestionSection } from './suggestion-section';
import { trainingSection } from './training-section';
import { uncertaintySection } from './uncertainty-section';

export const SECTIONS: readonly ISection[] = [
  classesSection,
  overlaysSection,
  contrastSection,
  suggestionSection,
  correctionSection,
  historySection,
  filesSection,
  scoresSection,
  probabilitySection,
  uncertaintySection,
  featuresSection,
  previewSection,
  forestSection,
  classifierSection,
  sessionSection,
  trainingSection
];
