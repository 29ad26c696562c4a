/**
 * The errors of the protocol, one code for each cause. The message is for the person at the notebook: it names the wrong value and
 * the valid values.
 */
export const ERROR_CODES = [
  /** The message does not follow the protocol: not JSON, missing fields, wrong types. */
  'malformed',
  /** The message, or one of its parts, is larger than the limit named in the message. */
  'too-large',
  /** The peer speaks another version of the protocol. */
  'protocol-version',
  /** No valid `hello` came first. */
  'unauthorized',
  'unknown-method',
  'unknown-session',
  /** A value in the request is outside what is allowed. */
  'invalid',
  /** The request is fine but the session is not ready for it (no image, no label, no classifier). */
  'not-ready',
  'cancelled',
  /** No room for the arrays or the journal. */
  'disk-full',
  /** A file in the data folder cannot be read or written. It is unchanged. */
  'storage',
  /** A model file is missing or is not what its manifest says. */
  'model',
  /** The SAM process died and the retry failed as well. */
  'compute',
  /** The connection to the sidecar is lost, or the request was not answered in time. */
  'disconnected',
  'internal'
] as const;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** An error with a code that the other side understands. */
export class BridgeError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string
  ) {
    super(message);
    this.name = 'BridgeError';
  }

  /** Turn a thrown value into a {@link BridgeError}: unknown errors become `internal`, an abort becomes `cancelled`. */
  static from(error: unknown): BridgeError {
    if (error instanceof BridgeError) {
      return error;
    }
    if (error instanceof Error) {
      if (error.name === 'AbortError') {
        return new BridgeError('cancelled', 'The work was cancelled.');
      }
      const system = (error as NodeJS.ErrnoException).code;
      if (system === 'ENOSPC' || system === 'EDQUOT') {
        return new BridgeError('disk-full', `No space is left on the disk: ${error.message}`);
      }
      return new BridgeError('internal', error.message);
    }
    return new BridgeError('internal', String(error));
  }
}
