// What people read out to each other. Pure.
const NUMBER_LENGTH = 6;

export const orderNumberOf = (orderId: string): string => `R-${orderId.slice(-NUMBER_LENGTH).toUpperCase()}`;
