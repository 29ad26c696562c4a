/** Labelling on a micrograph of `../shared/data` (suite `data`). */
import { SUPERALLOY } from './labeller';
import { testLabelling } from './labelling';

testLabelling(SUPERALLOY);
