// The reference domain, family by family. What the end-to-end tests of the families run on, and what docs/DOMAIN-TESTS.md
// lists.
import { ORDERS_AND_TALK } from './orders-and-talk.ts';
import type { FamilyRow } from './row.ts';
import { SHOP_AND_PEOPLE } from './shop-and-people.ts';

export const FAMILY_ROWS: readonly FamilyRow[] = [...ORDERS_AND_TALK, ...SHOP_AND_PEOPLE];
