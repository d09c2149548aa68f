// Takes the money for orders, and gives it back.
import { rez } from '@sluice/schemas';
import { defineService, type ServiceDefinition } from '../../service/definition.ts';
import { foldPayments, forgetPayments, noPayments, type Payments, reactToPayments } from './payments.ts';

export const paymentsService: ServiceDefinition<Payments> = defineService({
  name: 'payments',
  catalogue: rez,
  reads: ['order.status_changed', 'payment'],
  // One payment goes through several types: confirmed and refunded exclude each other by the sequence of both.
  guards: { payment: ['merchantId', 'userId', 'orderId'] },
  commands: [],
  initial: noPayments,
  snapshotVersion: 1,
  forget: forgetPayments,
  fold: foldPayments,
  reactsTo: ['order.created', 'order.status_changed', 'payment.processing', 'payment.confirmed'],
  react: reactToPayments,
});
