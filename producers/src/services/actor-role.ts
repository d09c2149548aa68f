// What an actor may act for, by the verified token. Pure.
import { type Actor, ADMINS, DELIVERY_PARTNER, MERCHANTS } from '@sluice/schemas';

export const isMerchantOf = ({ role, merchantId }: Actor, wanted: string): boolean =>
  (MERCHANTS as readonly string[]).includes(role) &&
  (Array.isArray(merchantId) ? merchantId.includes(wanted) : merchantId === wanted);

export const isAdmin = ({ role }: Actor): boolean => (ADMINS as readonly string[]).includes(role);

export const isDeliveryPartner = ({ role }: Actor): boolean => role === DELIVERY_PARTNER;
