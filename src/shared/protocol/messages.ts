/** Checks of message headers: requests in the sidecar, replies and events in the browser. */
import { z } from 'zod';
import { BridgeError, ERROR_CODES } from '../errors';
import { NAME_MAX } from '../limits';
import { BridgeEvent, EventName, EVENTS } from './events';
import { Method, METHODS, Params, Result } from './methods';

/** A request, without its buffers. */
export interface IRequest<M extends Method = Method> {
  id: string;
  method: M;
  params: Params<M>;
}

const zEnvelope = z.union([
  z.object({ id: z.string().min(1).max(NAME_MAX), method: z.string(), params: z.unknown() }),
  z.object({ re: z.string(), result: z.unknown() }),
  z.object({ re: z.string(), error: z.object({ code: z.enum(ERROR_CODES), message: z.string() }) }),
  z.object({ event: z.string(), params: z.unknown() })
]);

/** Check the header of a request. @throws BridgeError `malformed`, `unknown-method`, or `invalid` naming the wrong param. */
export function parseRequest(header: Record<string, unknown>): IRequest {
  const envelope = zEnvelope.safeParse(header);
  if (!envelope.success || !('method' in envelope.data)) {
    throw new BridgeError('malformed', 'A request needs id (a string of 1 to 100 characters), method and params.');
  }
  const { id, method, params } = envelope.data;
  if (!Object.hasOwn(METHODS, method)) {
    throw new BridgeError('unknown-method', `There is no method ${JSON.stringify(method.slice(0, 100))}.`);
  }
  const checked = METHODS[method as Method].params.safeParse(params);
  if (!checked.success) {
    throw new BridgeError('invalid', `${method}: ${describe(checked.error)}`);
  }
  return { id, method: method as Method, params: checked.data as Params<Method> };
}

/** A message from the sidecar. */
export type Incoming = { re: string; result: unknown } | { re: string; error: BridgeError } | BridgeEvent;

/**
 * Check the header of a reply or an event. {@link parseResult} checks a reply's result, once the method is known.
 *
 * @returns undefined for an event that this version does not know
 * @throws BridgeError `malformed`
 */
export function parseIncoming(header: Record<string, unknown>): Incoming | undefined {
  const envelope = zEnvelope.safeParse(header);
  if (!envelope.success) {
    throw new BridgeError('malformed', 'The message is neither a reply nor an event.');
  }
  const data = envelope.data;
  if ('error' in data) {
    return { re: data.re, error: new BridgeError(data.error.code, data.error.message) };
  }
  if ('re' in data) {
    return { re: data.re, result: data.result };
  }
  if (!('event' in data) || !Object.hasOwn(EVENTS, data.event)) {
    return undefined;
  }
  const params = EVENTS[data.event as EventName].safeParse(data.params);
  if (!params.success) {
    throw new BridgeError('malformed', `event ${data.event}: ${describe(params.error)}`);
  }
  return { event: data.event, params: params.data } as BridgeEvent;
}

/** Check the result of a request. @throws BridgeError `malformed` */
export function parseResult<M extends Method>(method: M, result: unknown): Result<M> {
  const checked = METHODS[method].result.safeParse(result);
  if (!checked.success) {
    throw new BridgeError('malformed', `reply to ${method}: ${describe(checked.error)}`);
  }
  return checked.data as Result<M>;
}

function describe(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map(issue => `${issue.path.join('.') || 'value'}: ${issue.message}`)
    .join('; ');
}
