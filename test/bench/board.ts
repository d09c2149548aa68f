// Catalogues of the `conflate` benchmark: every order on one channel, with and without conflation. The gateway loads them
// by path (board-conflated.ts, board-plain.ts).
import { catalogue, channel, filter, orders, type CatalogueDefinition, type FamilyDefinition } from '@sluice/schemas';

export const BOARD = 'board';
export const EVERY_MS = 1_000;

export const createBoard = (everyMs?: number): CatalogueDefinition => {
  const [known] = orders.families;
  const family: FamilyDefinition = {
    ...known,
    types: Object.fromEntries(
      Object.entries(known.types).map(([name, type]) => [
        name,
        { ...type, ...(everyMs !== undefined && { conflate: { everyMs } }) },
      ]),
    ),
  };
  return catalogue({
    families: [family],
    channels: [
      channel({
        name: BOARD,
        first: 'none',
        access: [{ roles: ['super_admin', 'admin', 'operator'], filters: [filter(family, {})] }],
      }),
    ],
    role: orders.role,
  });
};
