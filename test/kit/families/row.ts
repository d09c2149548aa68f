// What a row of the table of families is, who is in it, and what its tests are called. Knows no server.
import type { Claims } from '../token.ts';

export interface FamilyEvent {
  /** The whole subject, type last. */
  subject: string;
  payload: Record<string, unknown>;
}

/** Somebody who must not see the family's events under this channel's name. */
export interface Refusal {
  who: string;
  claims: Claims;
  channel: string;
  /** `forbidden`: the channel is refused. `nothing`: it is theirs to watch, and carries none of these events. */
  outcome: 'forbidden' | 'nothing';
  /** With `nothing`: what they do see there, so that nothing is more than not yet. */
  control?: FamilyEvent;
}

export interface FamilyRow {
  family: string;
  who: string;
  claims: Claims;
  /** The channels that carry the events, in this order. */
  channels: string[];
  /** Grants that `who` needs, as tokens of a subject: `presence.u-1.u-9`. */
  grants?: string[];
  /** One of each type that is stored and that `channels` carry. */
  events: FamilyEvent[];
  /** Types that pass by, on `eph.` subjects. */
  passing?: FamilyEvent[];
  /** Stored, and on none of `channels`. */
  hidden?: FamilyEvent[];
  refused: Refusal;
}

export const TIMESTAMP = '2026-01-01T00:00:00.000Z';
export const FUTURE = '2099-01-01T00:00:00.000Z';

export const customer = (sub = 'u-1'): Claims => ({ sub });
export const stranger: Claims = { sub: 'u-2' };
export const admin: Claims = { sub: 'admin-1', role: 'admin' };
export const merchant: Claims = { sub: 'owner-1', role: 'merchant_owner', merchantId: 'm-1' };
export const otherMerchant: Claims = { sub: 'owner-2', role: 'merchant_owner', merchantId: 'm-2' };

/** `order.status_changed` for its subject; also below `eph.`. */
export const typeOfEvent = ({ subject }: FamilyEvent): string => {
  const tokens = subject.replace(/^eph\./, '').split('.');
  return `${tokens[0]}.${tokens.at(-1)}`;
};

export type FamilyAspect = 'happy' | 'passing' | 'refused' | 'resumed' | 'published';

/** Titles of the tests that each row becomes: made here, so that the page and the tests cannot drift apart. */
export const familyTitles = ({ family, who, refused }: FamilyRow): Readonly<Record<FamilyAspect, string>> => ({
  happy: `${family}: every type reaches ${who}`,
  refused: `${family}: ${refused.who} sees nothing`,
  passing: `${family}: what passes by reaches ${who}, and is kept by nobody`,
  resumed: `${family}: what was missed while away is there on return`,
  published: `${family}: what nats pub publishes arrives`,
});
