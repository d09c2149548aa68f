// The reference domain in one object: what Sluice ships, and what a team replaces with its own.
import { catalogue, type EventsOf } from '../catalogue/define.ts';
import { orders } from './orders.ts';

export const rez = catalogue(orders);

export type RezEvents = EventsOf<typeof rez>;
