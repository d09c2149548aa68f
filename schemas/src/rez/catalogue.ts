// The reference domain in one object: what Sluice ships, and what a team replaces with its own.
import { catalogue, type EventsOf } from '../catalogue/define.ts';
import { merchantChannel, orderChannel, userChannel } from './channels.ts';
import { delivery } from './delivery.ts';
import { order } from './order.ts';
import { payment } from './payment.ts';

export const rez = catalogue({
  families: [order, delivery, payment],
  channels: [orderChannel, userChannel, merchantChannel],
  role: { claim: 'role', fallback: 'customer' },
});

export type RezEvents = EventsOf<typeof rez>;
