// The wire version. A test hashes every frame definition, so the wire cannot change without this file.

/**
 * 1: first version (hello, subscribe, resume by position, resets, pings with heads, commands, calls, ephemeral events,
 *    presence).
 */
export const PROTOCOL_VERSION = 1;

/** Oldest version a gateway still speaks. Equal to the current one until a second version exists. */
export const MIN_PROTOCOL_VERSION = 1;

/** WebSocket subprotocols, one per encoding. */
export const SUBPROTOCOLS = { msgpack: 'sluice.v1.msgpack', json: 'sluice.v1.json' } as const;

export type Encoding = keyof typeof SUBPROTOCOLS;
