// Field schemas that the families of the reference domain share. Unknown fields are kept: objects are open.
import { Type } from 'typebox';

export const Id = Type.String({ minLength: 1, maxLength: 128 });
/** ISO 8601. */
export const Timestamp = Type.String({ minLength: 10, maxLength: 40 });
export const Name = Type.String({ maxLength: 200 });
export const Money = Type.Number();

export const DeliveryPartner = Type.Object({
  name: Name,
  phone: Type.String({ maxLength: 40 }),
  vehicle: Type.Optional(Type.String({ maxLength: 100 })),
});
