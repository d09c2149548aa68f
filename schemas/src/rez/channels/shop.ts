// Carts, products, stores, flash sales.
import { channel, claim, filter, param, text } from '../../catalogue/define.ts';
import { cart } from '../cart.ts';
import { product } from '../product.ts';
import { promotion } from '../promotion.ts';
import { store } from '../store.ts';

/** The same on all devices of its owner. */
const cartChannel = channel({
  name: 'cart:{cartId}',
  owner: { cartId: text('cart-', 'sub') },
  first: 'states',
  plain: { cartId: text('cart-', 'sub') },
  access: [{ roles: 'any', filters: [filter(cart, { userId: claim('sub'), cartId: param('cartId') })] }],
});

const productChannel = channel({
  name: 'product:{productId}',
  first: 'states',
  access: [{ roles: 'any', filters: [filter(product, { productId: param('productId') })] }],
});

const storeChannel = channel({
  name: 'store:{storeId}',
  first: 'states',
  access: [{ roles: 'any', filters: [filter(store, { storeId: param('storeId') })] }],
});

const flashSaleChannel = channel({
  name: 'flash_sale:{saleId}',
  first: 'states',
  rooms: ['flash_sale:{saleId}'],
  access: [{ roles: 'any', filters: [filter(promotion, { saleId: param('saleId') }, ['stock_update'])] }],
});

const broadcastChannel = channel({
  name: 'broadcast',
  first: 'states',
  joined: 'any',
  access: [{ roles: 'any', filters: [filter(promotion, {}, ['flash_sale_started'])] }],
});

export const shopChannels = [cartChannel, productChannel, storeChannel, flashSaleChannel, broadcastChannel] as const;
