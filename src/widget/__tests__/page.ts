/** What jsdom lacks of a page; import it first. */
import { TextDecoder, TextEncoder } from 'node:util';

Object.assign(globalThis, { DragEvent: class extends Event {}, TextDecoder, TextEncoder });
