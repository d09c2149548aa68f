// Roles that tokens of the reference domain carry; a token without one is a customer's.
export const CUSTOMER = 'customer';
export const AGENT = 'agent';
export const DELIVERY_PARTNER = 'delivery_partner';
export const MERCHANTS = ['merchant_owner', 'merchant_staff'] as const;
export const ADMINS = ['super_admin', 'admin', 'operator'] as const;
