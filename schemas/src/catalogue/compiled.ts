// What a compiled catalogue is, and what programs look up in it at run time. Knows no definitions' faults.
import type { TSchema } from 'typebox';
import type {
  Alias,
  CallDefinition,
  CatalogueDefinition,
  ChannelDefinition,
  CommandDefinition,
  Conflation,
  Ending,
  EventKind,
  Expiry,
  StreamDefinition,
} from './define.ts';
import type { PresenceTransitions } from './presence.ts';

export interface EventType {
  /** Full name: `order.status_changed`. */
  readonly name: string;
  readonly kind: EventKind;
  readonly schema: TSchema;
  readonly aliases: readonly Alias[];
  readonly conflate?: Conflation;
  readonly expires?: Expiry;
  readonly ends?: Ending;
}

export interface Family {
  readonly name: string;
  readonly stream: string;
  /** First token of every subject of the family. */
  readonly prefix: string;
  /** Placeholder names, in the order of the subject's tokens after the prefix. */
  readonly placeholders: readonly string[];
  readonly types: ReadonlyMap<string, EventType>;
}

export interface Channel {
  readonly definition: ChannelDefinition;
  /** The part before the first colon. */
  readonly prefix: string;
  readonly params: readonly string[];
}

export interface CatalogueStream extends StreamDefinition {
  readonly subjects: readonly string[];
  /** Some of its types expire: the stream takes a lifetime per message. Absent otherwise. */
  readonly isExpiring?: true;
}

export interface Catalogue {
  readonly families: ReadonlyMap<string, Family>;
  /** By the channel's prefix. */
  readonly channels: ReadonlyMap<string, Channel>;
  readonly streams: readonly CatalogueStream[];
  readonly commands: ReadonlyMap<string, CommandDefinition>;
  readonly calls: ReadonlyMap<string, CallDefinition>;
  readonly actorClaims: readonly string[];
  readonly presence?: PresenceTransitions;
  readonly role: CatalogueDefinition['role'];
}

/** The event type of a stored subject; undefined for subjects that the catalogue does not know. */
export const typeOfSubject = (families: ReadonlyMap<string, Family>, subject: string): EventType | undefined => {
  const firstDot = subject.indexOf('.');
  const lastDot = subject.lastIndexOf('.');
  for (const family of families.values()) {
    if (family.prefix.length === firstDot && subject.startsWith(family.prefix))
      return family.types.get(subject.slice(lastDot + 1));
  }
  return undefined;
};

/** The same filters narrowed to types that are states: their last token is a literal. Sorted, each once. */
export const stateFiltersOf = (
  families: ReadonlyMap<string, Family>,
  filters: readonly string[],
): readonly string[] => {
  const narrowed = new Set<string>();
  for (const filter of filters) {
    const prefix = filter.slice(0, filter.indexOf('.'));
    const head = filter.slice(0, filter.lastIndexOf('.'));
    const wanted = filter.slice(head.length + 1);
    const family = [...families.values()].find((each) => each.prefix === prefix);
    for (const [type, { kind }] of family?.types ?? []) {
      if (kind === 'state' && (wanted === '*' || wanted === type)) narrowed.add(`${head}.${type}`);
    }
  }
  return [...narrowed].sort();
};

/** Subject of one filter: `order.*.u-1.*.status_changed`. Values must be safe tokens already. */
export const filterSubject = (family: Family, values: Readonly<Record<string, string>>, type: string = '*'): string => {
  const tokens = family.placeholders.map((name) => (Object.hasOwn(values, name) ? values[name] : undefined) ?? '*');
  return `${family.prefix}.${tokens.join('.')}.${type}`;
};
