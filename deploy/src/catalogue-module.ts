// A catalogue by name (one that is shipped) or by the path of a module that exports `catalogue`: what the gateway takes.

import { pathToFileURL } from 'node:url';
import {
  type Catalogue,
  type CatalogueDefinition,
  compileCatalogue,
  orders,
  type Result,
  rez,
  withCanary,
} from '@sluice/schemas';
import { DeployError } from './errors.ts';

const SHIPPED: Readonly<Record<string, CatalogueDefinition>> = { rez, orders };

export const DEFAULT_CATALOGUE = 'rez';

/** Throws `catalogue_unusable` where there is nothing to check. */
export async function loadCatalogue(
  from: string,
  canaryStream?: string,
): Promise<Result<Catalogue, readonly string[]>> {
  const shipped = Object.hasOwn(SHIPPED, from) ? SHIPPED[from] : undefined;
  const definition = shipped ?? (await importCatalogue(from));
  try {
    return compileCatalogue(canaryStream === undefined ? definition : withCanary(definition, canaryStream));
  } catch (error) {
    // Something that only looks like a definition.
    throw new DeployError('catalogue_unusable', `${from} exports a "catalogue" that is none: ${String(error)}`, {
      cause: error,
    });
  }
}

/** Throws `catalogue_unusable`, with every fault. */
export async function loadSoundCatalogue(from: string, canaryStream?: string): Promise<Catalogue> {
  const compiled = await loadCatalogue(from, canaryStream);
  if (compiled.ok) return compiled.value;
  throw new DeployError('catalogue_unusable', faultsText(from, compiled.error));
}

export const faultsText = (from: string, faults: readonly string[]): string =>
  [`The catalogue ${from} contradicts itself:`, ...faults.map((fault) => `- ${fault}`)].join('\n');

async function importCatalogue(from: string): Promise<CatalogueDefinition> {
  let module: { readonly catalogue?: unknown };
  try {
    module = (await import(pathToFileURL(from).href)) as { readonly catalogue?: unknown };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DeployError(
      'catalogue_unusable',
      `${from} is neither a shipped catalogue (${Object.keys(SHIPPED).join(', ')}) nor a module that loads: ${reason}`,
      { cause: error },
    );
  }
  if (typeof module.catalogue === 'object' && module.catalogue !== null) return module.catalogue as CatalogueDefinition;
  throw new DeployError('catalogue_unusable', `${from} exports no "catalogue".`);
}
