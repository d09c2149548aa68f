import type { CatalogueDefinition } from '@sluice/schemas';

export const catalogue: CatalogueDefinition;
