// A catalogue, as a module that a gateway is told of by path.
import type { CatalogueDefinition } from '@sluice/schemas';
import { createBoard } from './board.ts';

export const catalogue: CatalogueDefinition = createBoard();
