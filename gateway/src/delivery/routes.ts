// From a subject to the filters under which somebody may listen to it. Pure; compiled from the catalogue once.
// A filter of a channel binds some placeholders (and perhaps the type) and leaves the rest as wildcards: which ones is
// a template, and the catalogue has only a handful. Filling the templates from a subject gives every filter it matches.
import type { Catalogue, Family } from '@sluice/schemas';
import type { FiltersOf } from '../log/segment.ts';

interface Template {
  /** Per token after the prefix: is it bound? */
  readonly bound: readonly boolean[];
  /** Types the template is for, if it binds the type; absent means any type. */
  readonly types?: ReadonlySet<string>;
}

interface FamilyRoutes {
  readonly prefix: string;
  readonly tokenCount: number;
  readonly templates: readonly Template[];
}

/** The route function of a catalogue. A slot whose template does not apply to the subject's type holds ''. */
export const compileRoutes = (catalogue: Catalogue): FiltersOf => {
  const byPrefix = new Map<string, FamilyRoutes>();
  for (const family of catalogue.families.values()) {
    byPrefix.set(family.prefix, {
      prefix: family.prefix,
      tokenCount: family.placeholders.length + 2,
      templates: templatesOf(catalogue, family),
    });
  }
  return (subject, into) => {
    const tokens = subject.split('.');
    const routes = byPrefix.get(tokens[0]!);
    if (!routes || tokens.length !== routes.tokenCount) return 0;
    const { templates } = routes;
    const type = tokens[tokens.length - 1]!;
    for (let slot = 0; slot < templates.length; slot++) {
      const { bound, types } = templates[slot]!;
      if (types && !types.has(type)) {
        into[slot] = '';
        continue;
      }
      let filter = routes.prefix;
      for (let i = 0; i < bound.length; i++) filter += bound[i] ? `.${tokens[i + 1]!}` : '.*';
      into[slot] = types ? `${filter}.${type}` : `${filter}.*`;
    }
    return templates.length;
  };
};

const templatesOf = (catalogue: Catalogue, family: Family): Template[] => {
  const templates = new Map<string, { bound: boolean[]; types?: Set<string> }>();
  for (const { definition } of catalogue.channels.values()) {
    for (const { filters } of definition.access) {
      for (const filter of filters) {
        if (filter.family !== family.name) continue;
        const bound = family.placeholders.map((name) => name in filter.bindings);
        const id = `${bound.join()} ${filter.types ? 'typed' : 'any'}`;
        const template = templates.get(id) ?? { bound, ...(filter.types && { types: new Set<string>() }) };
        for (const type of filter.types ?? []) template.types!.add(type);
        templates.set(id, template);
      }
    }
  }
  return [...templates.values()];
};
