// Commands that no service sees: the gateway makes an ephemeral event of them, for those who are on a channel with the
// sender. Who acts and when comes from the token and the clock, never from the client. Knows sessions by a narrow view
// of them, and how to publish, not NATS.
import {
  filterSubject,
  packValue,
  parseSubjectToken,
  type Catalogue,
  type CommandDefinition,
  type EphemeralEffect,
  type EphemeralField,
  type ErrorCode,
  type Family,
} from '@sluice/schemas';
import type { Principal } from '../access/permission.ts';
import { GatewayError } from '../errors.ts';
import type { Clock } from '../operations/clock.ts';

/** What is known of the connection that a command came from. */
export interface EffectSender {
  readonly principal: Principal | undefined;
  /** Only of one that is admitted anything may be made: not while nobody can vouch for the membership. */
  readonly subscriptions: readonly { readonly name: string; readonly isAdmitted: boolean }[];
}

export interface EffectsOptions {
  readonly catalogue: Catalogue;
  readonly clock: Pick<Clock, 'now'>;
  /** Hands a message to NATS, with the user who caused it. False if there is no connection: then it is lost. */
  readonly publish: (subject: string, payload: Uint8Array, from: string) => boolean;
}

/** Where an effect goes: found once per command of the catalogue. */
interface Target {
  readonly effect: EphemeralEffect;
  readonly family: Family;
  readonly type: string;
}

/** What a sender has said and has to be taken back when its connection goes. */
interface Standing {
  readonly channel: string;
  readonly target: Target;
  /** What the command said: the end state differs from it by `atEnd` and the time. */
  readonly said: Readonly<Record<string, unknown>>;
}

type Values = Readonly<Record<string, unknown>>;

/** End states that one connection may owe; the oldest is told at once when there are more. */
const MAX_STANDING = 64;
const PLACEHOLDER = /\{(\w+)\}/g;

export class Effects {
  readonly #options: EffectsOptions;
  readonly #targets = new Map<string, Target>();
  /** Per sender, by subject. Only of senders that said something which has an end. */
  readonly #standing = new Map<EffectSender, Map<string, Standing>>();

  /** Throws `catalogue_invalid` for an effect that names what is not there. */
  constructor(options: EffectsOptions) {
    this.#options = options;
    for (const { name, effect } of options.catalogue.commands.values()) {
      if (effect) this.#targets.set(name, targetOf(options.catalogue, name, effect));
    }
  }

  /** Connections that owe an end state. */
  get standingCount(): number {
    return this.#standing.size;
  }

  /** The command's data fits its schema already. Undefined if the event was published; delivery is not promised. */
  apply(sender: EffectSender, command: Pick<CommandDefinition, 'name'>, data: Values): ErrorCode | undefined {
    const target = this.#targets.get(command.name);
    const { principal } = sender;
    if (!target || !principal) return 'unknown_command';
    const channel = fillChannel(target.effect.channel, data);
    if (channel === undefined) return 'invalid_command';
    if (!sender.subscriptions.some(({ name, isAdmitted }) => name === channel && isAdmitted)) return 'not_subscribed';
    const subject = this.#subject(target, principal, data);
    if (subject === undefined) return 'invalid_command';
    if (!this.#publish(subject, this.#values(target.effect.data, principal, data), principal.subject))
      return 'unavailable';
    this.#remember(sender, subject, { channel, target, said: data });
    return undefined;
  }

  /** The sender is not on the channel any more. */
  left(sender: EffectSender, channel: string): void {
    const standing = this.#standing.get(sender);
    if (!standing) return;
    for (const [subject, each] of standing) if (each.channel === channel) this.#tellEnd(sender, subject, each);
  }

  /** The sender's connection is gone. */
  ended(sender: EffectSender): void {
    for (const [subject, each] of this.#standing.get(sender) ?? []) this.#tellEnd(sender, subject, each);
  }

  #remember(sender: EffectSender, subject: string, standing: Standing): void {
    const { atEnd } = standing.target.effect;
    if (!atEnd) return;
    const ofSender = this.#standing.get(sender) ?? new Map<string, Standing>();
    const values = this.#values(standing.target.effect.data, sender.principal!, standing.said);
    ofSender.delete(subject);
    // What says the same as the end needs none.
    if (Object.entries(atEnd).some(([field, value]) => values[field] !== value)) ofSender.set(subject, standing);
    if (ofSender.size > 0) this.#standing.set(sender, ofSender);
    else this.#standing.delete(sender);
    const [oldest] = ofSender;
    if (ofSender.size > MAX_STANDING && oldest) this.#tellEnd(sender, ...oldest);
  }

  #tellEnd(sender: EffectSender, subject: string, { target, said }: Standing): void {
    const { effect } = target;
    const principal = sender.principal!;
    this.#publish(subject, { ...this.#values(effect.data, principal, said), ...effect.atEnd }, principal.subject);
    const ofSender = this.#standing.get(sender)!;
    ofSender.delete(subject);
    if (ofSender.size === 0) this.#standing.delete(sender);
  }

  #publish(subject: string, payload: Values, from: string): boolean {
    return this.#options.publish(subject, packValue(payload), from);
  }

  /** Undefined if a key is missing or no safe token (I9). */
  #subject({ effect, family, type }: Target, principal: Principal, data: Values): string | undefined {
    const keys = this.#values(effect.keys, principal, data);
    const safe: Record<string, string> = {};
    for (const placeholder of family.placeholders) {
      const token = parseSubjectToken(keys[placeholder]);
      if (!token.ok) return undefined;
      safe[placeholder] = token.value;
    }
    return `eph.${filterSubject(family, safe, type)}`;
  }

  /** What has no value is left out: whether the event may do without it is for its schema to say. */
  #values(fields: Readonly<Record<string, EphemeralField>>, principal: Principal, data: Values): Values {
    const values: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(fields)) {
      const value = this.#value(field, principal, data);
      if (value !== undefined) values[name] = value;
    }
    return values;
  }

  #value(field: EphemeralField, principal: Principal, data: Values): unknown {
    if (field === 'now') return new Date(this.#options.clock.now()).toISOString();
    if ('field' in field) return ownValue(data, field.field);
    if (field.claim === 'sub') return principal.subject;
    if (field.claim === 'role') return principal.role;
    // Identity providers write null where they know of none; as a value it would fit no schema, and nobody would get the event.
    return ownValue(principal.claims, field.claim) ?? undefined;
  }
}

const ownValue = (values: Values, name: string): unknown => (Object.hasOwn(values, name) ? values[name] : undefined);

/** The canonical name of the channel; undefined if a field of it is missing or unsafe. */
const fillChannel = (pattern: string, data: Values): string | undefined => {
  let isSafe = true;
  const name = pattern.replaceAll(PLACEHOLDER, (_, field: string) => {
    const token = parseSubjectToken(ownValue(data, field));
    // A colon would make two parameters of one.
    if (token.ok && !token.value.includes(':')) return token.value;
    isSafe = false;
    return '';
  });
  return isSafe ? name : undefined;
};

const targetOf = (catalogue: Catalogue, command: string, effect: EphemeralEffect): Target => {
  const [familyName = '', type = ''] = effect.type.split('.');
  const family = catalogue.families.get(familyName);
  const faults: string[] = [];
  if (family?.types.get(type)?.kind !== 'ephemeral') faults.push(`${effect.type} is no ephemeral type`);
  for (const placeholder of family?.placeholders ?? []) {
    if (!Object.hasOwn(effect.keys, placeholder)) faults.push(`no key for ${placeholder} of ${effect.type}`);
  }
  if (faults.length === 0 && family) return { effect, family, type };
  throw new GatewayError('catalogue_invalid', `command ${command}: ${faults.join('; ')}`);
};
