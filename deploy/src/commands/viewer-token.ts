// For whom `sluice tail` looks at a channel of the reference domain when nobody says so: somebody who may. Pure.
import type { TokenSubject } from '../stack/tokens.ts';

/** Undefined where the development token of npm start will do: u-1, an admin. */
export function viewerOf(channel: string): TokenSubject | undefined {
  const [prefix, id = ''] = channel.split(/:(.*)/s);
  if (id === '') return undefined;
  switch (prefix) {
    case 'merchant':
      return { sub: `owner-of-${id}`, role: 'merchant_owner', merchantIds: [id] };
    case 'user':
    case 'feed':
      return { sub: id };
    case 'cart':
      return { sub: id.replace(/^cart-/, '') };
    // Agents may see every chat.
    case 'chat':
      return { sub: 'a-viewer', role: 'agent' };
    default:
      return undefined;
  }
}
