// Sells what is left in a flash sale, and not one more.
import { rez } from '@sluice/schemas';
import { defineService, type ServiceDefinition } from '../../service/definition.ts';
import { decideSales, foldSales, noSales, type Sales } from './sales.ts';

export const promotionsService: ServiceDefinition<Sales> = defineService({
  name: 'promotions',
  catalogue: rez,
  reads: ['product.price_updated', 'promotion', 'order.created'],
  commands: ['promotion.buy'],
  initial: noSales,
  snapshotVersion: 1,
  fold: foldSales,
  decide: decideSales,
  // All buyers of one product, one after the other: side by side they would only be in conflict.
  lane: (command) => (command.name === 'promotion.buy' ? `${command.data.saleId}.${command.data.productId}` : ''),
});
