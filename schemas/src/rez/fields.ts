// Field schemas that the families and commands of the reference domain share. Unknown fields are kept: objects are open.
import { Type } from 'typebox';

export const Id = Type.String({ minLength: 1, maxLength: 128 });
/** ISO 8601. */
export const Timestamp = Type.String({ minLength: 10, maxLength: 40 });
export const Name = Type.String({ maxLength: 200 });
export const Money = Type.Number();
export const Url = Type.String({ minLength: 1, maxLength: 2_048 });
export const Count = Type.Integer({ minimum: 0 });

/** What a service adds to an event that a command caused, so that the sender replaces its optimistic entry. */
export const CausedBy = { commandId: Type.Optional(Id) };

export const DeliveryPartner = Type.Object({
  name: Name,
  phone: Type.String({ maxLength: 40 }),
  vehicle: Type.Optional(Type.String({ maxLength: 100 })),
});

export const Location = Type.Object({
  latitude: Type.Number({ minimum: -90, maximum: 90 }),
  longitude: Type.Number({ minimum: -180, maximum: 180 }),
  address: Type.Optional(Type.String({ maxLength: 500 })),
});

export const Attachment = Type.Object({
  type: Type.Union([Type.Literal('image'), Type.Literal('file')]),
  url: Url,
  name: Type.Optional(Name),
});
