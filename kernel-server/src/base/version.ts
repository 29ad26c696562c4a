/** The version of the project, as its package.json has it. */
export { version as VERSION } from '../../../package.json';
