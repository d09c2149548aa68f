// What a user does with their cart, from any device.
import { Type } from 'typebox';
import { command } from '../../catalogue/define.ts';
import { ObjectId, Quantity } from './fields.ts';

/** Absent: the sender's own, `cart-<sub>`, which is the only one today. */
const CartId = Type.Optional(ObjectId);

const addItem = command({
  name: 'cart.add_item',
  roles: 'any',
  // Two devices that each added one have two.
  offline: 'commutative',
  schema: Type.Object({
    productId: ObjectId,
    quantity: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 1 })),
    cartId: CartId,
  }),
});

const updateItem = command({
  name: 'cart.update_item',
  roles: 'any',
  offline: 'last_wins',
  schema: Type.Object({ itemId: ObjectId, quantity: Quantity, cartId: CartId }),
});

const removeItem = command({
  name: 'cart.remove_item',
  roles: 'any',
  offline: 'last_wins',
  schema: Type.Object({ itemId: ObjectId, cartId: CartId }),
});

const clear = command({
  name: 'cart.clear',
  roles: 'any',
  offline: 'last_wins',
  schema: Type.Object({ cartId: CartId }),
});

export const cartCommands = [addItem, updateItem, removeItem, clear] as const;
