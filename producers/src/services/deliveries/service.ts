// Follows orders on the road, and lets their delivery partners see them.
import { rez } from '@sluice/schemas';
import { defineService, type ServiceDefinition } from '../../service/definition.ts';
import {
  decideDeliveries,
  type Deliveries,
  foldDeliveries,
  forgetDeliveries,
  noDeliveries,
  reactToAssignments,
} from './deliveries.ts';

export const deliveriesService: ServiceDefinition<Deliveries> = defineService({
  name: 'deliveries',
  catalogue: rez,
  reads: ['order', 'delivery'],
  commands: ['delivery.report_location'],
  initial: noDeliveries,
  snapshotVersion: 1,
  forget: forgetDeliveries,
  fold: foldDeliveries,
  decide: decideDeliveries,
  lane: ({ name, data, actor }) => (name === 'delivery.report_location' ? data.orderId : actor.sub),
  reactsTo: ['order.status_changed'],
  react: reactToAssignments,
});
