// Where commands and calls travel, and the stream that keeps commands: the one place that gateway, services and
// provisioning agree on.

/** `cmd.<name>.<sub>.<commandId>`: the subject is the command's identity, so that a second one finds it taken. */
export const COMMAND_ROOT = 'cmd';
export const CALL_ROOT = 'call';

/** What the stream of commands must be for a command to be applied once; its name is the operator's choice. */
export const COMMAND_STREAM = {
  name: 'CMD',
  subjects: [`${COMMAND_ROOT}.>`],
  /** Services remember applied ids for 25 hours; the stream refuses a second one for longer than that. */
  maxAgeMs: 26 * 3_600_000,
} as const;

/** `sub` and `commandId` must be safe tokens already. Names of different lengths never share a subject. */
export const commandSubject = (name: string, sub: string, commandId: string): string =>
  `${COMMAND_ROOT}.${name}.${sub}.${commandId}`;

export const callSubject = (name: string, sub: string): string => `${CALL_ROOT}.${name}.${sub}`;

/** What a service finds in the stream (JSON), and in a call without `commandId`. */
export interface CommandEnvelope {
  readonly commandId: string;
  readonly command: string;
  /** Who acts, by the verified token: `sub`, the role, and the catalogue's `actorClaims`. */
  readonly actor: Actor;
  /** Fits the command's schema. */
  readonly data: Readonly<Record<string, unknown>>;
  /** ISO 8601, by the pod's clock. */
  readonly receivedAt: string;
}

export type CallEnvelope = Omit<CommandEnvelope, 'commandId'>;

export interface Actor {
  readonly sub: string;
  readonly role: string;
  readonly [claim: string]: unknown;
}

/** What a service answers to a call (JSON). */
export type CallAnswer =
  | { readonly ok: true; readonly data: unknown }
  | { readonly ok: false; readonly code: string; readonly reason?: string };
