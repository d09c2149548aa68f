// From a subject to the filters under which somebody may listen to it. Pure; compiled from the catalogue once.
// A filter of a channel binds some placeholders (and perhaps the type) and leaves the rest as wildcards: which ones is
// a template, and the catalogue has only a handful. Filling the templates from a subject gives every filter it matches.
import type { Catalogue, Family } from '@sluice/schemas';
import { GatewayError } from '../errors.ts';
import { MAX_FILTER_SLOTS, type FiltersOf } from '../log/segment.ts';

interface Template {
  /** Per token after the prefix: is it bound? */
  readonly bound: readonly boolean[];
  /** Types the template is for, if it binds the type; absent means any type. */
  readonly types?: ReadonlySet<string>;
}

/**
 * A template as it is filled: literal text, and runs of neighbouring tokens that are cut out of the subject in one piece.
 * Cutting runs costs a third of splitting the subject and joining its tokens.
 */
type Part = string | { readonly from: number; readonly to: number };

interface FamilyRoutes {
  readonly prefix: string;
  readonly tokenCount: number;
  readonly templates: readonly Template[];
  /** Per template. */
  readonly parts: readonly (readonly Part[])[];
  /** Filters that are listened to, per template and in all. */
  readonly listeners: number[];
  listenerCount: number;
}

/** The route function of a catalogue, and which part of it is needed: most templates have no listener at most times. */
export interface Routes {
  /** Every filter that a subject matches; a slot whose template does not apply to the subject's type holds ''. */
  readonly filtersOf: FiltersOf;
  /** The same, with '' also in the slots of templates to which nobody listens. */
  readonly heardFiltersOf: FiltersOf;
  /** Somebody listens to one more, or one less, filter of this shape. */
  readonly listen: (filter: string) => void;
  readonly unlisten: (filter: string) => void;
}

export const compileRoutes = (catalogue: Catalogue): Routes => {
  const byPrefix = new Map<string, FamilyRoutes>();
  for (const family of catalogue.families.values()) {
    const templates = templatesOf(catalogue, family);
    byPrefix.set(family.prefix, {
      prefix: family.prefix,
      tokenCount: family.placeholders.length + 2,
      templates,
      parts: templates.map((template) => partsOf(family.prefix, template)),
      listeners: templates.map(() => 0),
      listenerCount: 0,
    });
  }
  /** Where the dots of the subject at hand are. */
  const dots: number[] = [];
  const fill = (subject: string, into: string[], isHeardOnly: boolean): number => {
    const routes = byPrefix.get(subject.slice(0, subject.indexOf('.')));
    if (!routes || (isHeardOnly && routes.listenerCount === 0)) return 0;
    if (!findDots(subject, routes.tokenCount - 1, dots)) return 0;
    const { templates, parts, listeners, tokenCount } = routes;
    // Only templates that bind the type ask for it.
    const type = subject.slice(dots[tokenCount - 2]! + 1);
    for (let slot = 0; slot < templates.length; slot++) {
      const { types } = templates[slot]!;
      into[slot] =
        (isHeardOnly && listeners[slot] === 0) || (types && !types.has(type))
          ? ''
          : fillParts(parts[slot]!, subject, dots);
    }
    return templates.length;
  };
  const change = (filter: string, by: 1 | -1): void => {
    const [prefix = '', ...tokens] = filter.split('.');
    const routes = byPrefix.get(prefix)!;
    const isTyped = tokens.pop() !== '*';
    const slot = routes.templates.findIndex(
      ({ bound, types }) => (types !== undefined) === isTyped && bound.every((is, i) => is === (tokens[i] !== '*')),
    );
    routes.listeners[slot]! += by;
    routes.listenerCount += by;
  };
  return {
    filtersOf: (subject, into) => fill(subject, into, false),
    heardFiltersOf: (subject, into) => fill(subject, into, true),
    listen: (filter) => change(filter, 1),
    unlisten: (filter) => change(filter, -1),
  };
};

/** Exactly `count` dots, or false. */
const findDots = (subject: string, count: number, into: number[]): boolean => {
  let at = -1;
  for (let i = 0; i < count; i++) {
    at = subject.indexOf('.', at + 1);
    if (at < 0) return false;
    into[i] = at;
  }
  into[count] = subject.length;
  return !subject.includes('.', at + 1);
};

const fillParts = (parts: readonly Part[], subject: string, dots: readonly number[]): string => {
  let filter = '';
  for (const part of parts) filter += typeof part === 'string' ? part : subject.slice(dots[part.from], dots[part.to]);
  return filter;
};

/** Token i stands between dot i - 1 and dot i; a run keeps the dot before it. */
const partsOf = (prefix: string, { bound, types }: Template): Part[] => {
  const parts: Part[] = [prefix];
  const add = (part: Part): void => {
    const last = parts.at(-1)!;
    if (typeof part === 'string' && typeof last === 'string') parts[parts.length - 1] = last + part;
    else if (typeof part === 'object' && typeof last === 'object') parts[parts.length - 1] = { ...last, to: part.to };
    else parts.push(part);
  };
  for (const [i, isBound] of [...bound, types !== undefined].entries()) add(isBound ? { from: i, to: i + 1 } : '.*');
  return parts;
};

const templatesOf = (catalogue: Catalogue, family: Family): Template[] => {
  const templates = new Map<string, { bound: boolean[]; types?: Set<string> }>();
  for (const { definition } of catalogue.channels.values()) {
    for (const { filters } of definition.access) {
      for (const filter of filters) {
        if (filter.family !== family.name) continue;
        const bound = family.placeholders.map((name) => Object.hasOwn(filter.bindings, name));
        const id = `${bound.join()} ${filter.types ? 'typed' : 'any'}`;
        const template = templates.get(id) ?? { bound, ...(filter.types && { types: new Set<string>() }) };
        for (const type of filter.types ?? []) template.types!.add(type);
        templates.set(id, template);
      }
    }
  }
  if (templates.size > MAX_FILTER_SLOTS) {
    throw new GatewayError(
      'catalogue_invalid',
      `family ${family.name}: channels bind its placeholders in ${templates.size} ways, at most ${MAX_FILTER_SLOTS} are indexed`,
    );
  }
  return [...templates.values()];
};
