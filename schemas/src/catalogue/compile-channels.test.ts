import { describe, expect, test } from 'vitest';
import { a, Any, define, faultsOf, open, STREAM, withChannel, withFilters } from './faulty.fixture.ts';
import {
  claim,
  ephemeral,
  family,
  filter,
  moment,
  param,
  state,
  text,
  type Binding,
  type CatalogueDefinition,
  type ChannelAccess,
  type ChannelDefinition,
} from './define.ts';

const all = open.access[0]!.filters;
const bound = (bindings: Record<string, Binding>, types?: readonly string[]): CatalogueDefinition =>
  withFilters({ family: 'a', bindings, ...(types && { types }) });

describe('names and entries', () => {
  test.each<[string, CatalogueDefinition, RegExp]>([
    ['a channel name in capitals', withChannel({ name: 'One:{x}' }), /channel "One:\{x\}" is not name/],
    [
      'a channel name with a literal parameter',
      withChannel({ name: 'one:x:{x}' }),
      /channel "one:x:\{x\}" is not name/,
    ],
    ['a parameter twice', withChannel({ name: 'one:{x}:{x}' }), /channel one:\{x\}:\{x\}: a parameter stands twice/],
    ['a channel twice', define([a], [open, open]), /channel one is defined twice/],
    ['an owner that is no parameter', withChannel({ owner: { z: claim('sub') } }), /owner names "z"/],
    [
      'an owner that is bound to a parameter that is none',
      withChannel({ owner: { x: param('z') } }),
      /channel one:\{x\}: no parameter z/,
    ],
    ['an owner that no name can have', withChannel({ owner: { x: text('a:b') } }), /owner wants "a:b", which no x can/],
    ['a channel for nobody', withChannel({ access: [] }), /nobody may subscribe/],
    ['an entry for nobody', withChannel({ access: [{ roles: [], filters: all }] }), /an entry for no role/],
    ['a role without filters', withChannel({ access: [{ roles: 'any', filters: [] }] }), /a role without filters/],
    [
      'a condition on what is no parameter',
      withChannel({ access: [{ roles: 'any', where: { z: claim('sub') }, filters: all }] }),
      /where names "z", which is no parameter/,
    ],
    [
      'a condition that no name can meet',
      withChannel({ access: [{ roles: 'any', where: { x: text('a b', 'sub') }, filters: all }] }),
      /where wants "a b", which no x can be/,
    ],
    [
      'an entry behind one for everybody',
      withChannel({
        access: [
          { roles: 'any', filters: all },
          { roles: ['admin'], filters: all },
        ],
      }),
      /entry 2 is never reached/,
    ],
    [
      'an entry behind one for the same role',
      withChannel({
        access: [
          { roles: ['admin', 'owner'], filters: all },
          { roles: ['owner'], isGranted: true, filters: all },
        ],
      }),
      /entry 2 is never reached/,
    ],
  ])('refused: %s', (_, definition, fault) => {
    expect(faultsOf(definition)).toEqual([expect.stringMatching(fault)]);
  });

  test('an entry behind one with a condition, and behind one for fewer roles, is reached', () => {
    const access: readonly ChannelAccess[] = [
      { roles: ['admin'], filters: all },
      { roles: 'any', where: { x: claim('sub') }, filters: all },
      { roles: ['admin', 'owner'], filters: all },
      { roles: 'any', isGranted: true, filters: all },
    ];

    expect(faultsOf(withChannel({ access }))).toEqual([]);
  });
});

describe('filters', () => {
  const quiet = family({ name: 'q', subject: 'q.{x}', stream: STREAM, types: { seen: moment(Any) } });
  const passing = family({ name: 'p', subject: 'p.{x}', stream: STREAM, types: { near: ephemeral(Any) } });

  test.each<[string, CatalogueDefinition, RegExp]>([
    ['an unknown family', withFilters({ family: 'z', bindings: {} }), /family z is not in the catalogue/],
    ['an unknown placeholder', bound({ z: param('x') }), /a has no placeholder z/],
    ['an unknown parameter', bound({ x: param('z') }), /no parameter z/],
    ['an unknown type', bound({ x: param('x') }, ['gone']), /a has no type gone/],
    ['no type at all', bound({ x: param('x') }, []), /matches nothing/],
    ['a text that is no token', bound({ x: text('a.b') }), /no subject of a has "a\.b" as x/],
    ['a text with a wildcard', bound({ x: text('*') }), /no subject of a has "\*" as x/],
    ['an empty text', bound({ x: text('') }), /no subject of a has "" as x/],
    [
      'what passes by and nothing else',
      define([passing], [{ ...open, access: [{ roles: 'any', filters: [filter(passing, { x: param('x') })] }] }]),
      /carries nothing that a stream holds/,
    ],
    [
      'states first where there are none',
      define(
        [quiet],
        [{ ...open, first: 'states', access: [{ roles: 'any', filters: [filter(quiet, { x: param('x') })] }] }],
      ),
      /begins with states, but carries none/,
    ],
    [
      'no ended ones where nothing says that it has ended',
      withChannel({ omitsEnded: true }),
      /leaves out what has ended, which no type that it carries says/,
    ],
    [
      'states first where the filters leave them out',
      withChannel({ first: 'states', access: [{ roles: 'any', filters: [filter(a, { x: param('x') }, ['seen'])] }] }),
      /begins with states, but carries none/,
    ],
  ])('refused: %s', (_, definition, fault) => {
    expect(faultsOf(definition)).toEqual([expect.stringMatching(fault)]);
  });
});

describe('plain names and joining', () => {
  const joinable = { plain: { x: claim('sub') }, joined: 'any' } as const;
  const forOwners: readonly ChannelAccess[] = [{ roles: ['owner'], filters: all }];

  test.each<[string, Partial<ChannelDefinition>, RegExp]>([
    ['the one last asked for without a plain name', { isPlainLastAsked: true }, /has no plain name that could be/],
    ['a plain name of what is plain', { name: 'one', plain: {}, access: [grantAll()] }, /is plain already/],
    ['a plain name that leaves a parameter open', { name: 'one:{x}:{y}', plain: { x: text('m') } }, /nothing about y/],
    ['a plain name with another parameter', { plain: { x: text('m'), z: text('m') } }, /plain names "z"/],
    ['a plain name with a parameter', { plain: { x: param('x') } }, /under its plain name there is no parameter x/],
    ['a plain name that no name can have', { plain: { x: text('a:b') } }, /plain wants "a:b", which no x can be/],
    ['joining without a plain name', { joined: 'any' }, /joined by itself, but has no plain name/],
    ['joining by no role', { ...joinable, joined: [] }, /is joined by no role/],
    [
      'joining by a role that may not',
      { ...joinable, joined: ['admin'], access: forOwners },
      /joined by admin, who may/,
    ],
    ['joining by everybody where not everybody may', { ...joinable, access: forOwners }, /not every one may subscribe/],
  ])('refused: %s', (_, changes, fault) => {
    expect(faultsOf(withChannel(changes))).toEqual([expect.stringMatching(fault)]);
  });

  test.each<[string, Partial<ChannelDefinition>]>([
    ['everybody, by a claim', joinable],
    ['a role of several entries', { ...joinable, joined: ['owner'], access: forOwners }],
    ['a channel without parameters', { name: 'one', joined: 'any', access: [grantAll()] }],
  ])('joined: %s', (_, changes) => {
    expect(faultsOf(withChannel(changes))).toEqual([]);
  });
});

describe('guards', () => {
  const mine = family({
    name: 'mine',
    subject: 'mine.{userId}.{shopId}.{id}',
    stream: STREAM,
    guard: { placeholders: { userId: ['sub'], shopId: ['shop'] }, exempt: ['admin', 'operator'] },
    types: { made: state(Any) },
  });
  const sealed = family({
    name: 'sealed',
    subject: 'sealed.{id}',
    stream: STREAM,
    guard: { placeholders: {}, exempt: ['admin'] },
    types: { made: state(Any) },
  });
  const faultsWith = (entry: Partial<ChannelAccess>, more: Partial<ChannelDefinition> = {}): readonly string[] =>
    faultsOf(define([mine, sealed], [{ name: 'one:{x}', first: 'none', access: [{ ...anyone, ...entry }], ...more }]));
  const anyone: ChannelAccess = { roles: 'any', filters: [filter(mine, { id: param('x') })] };
  const bind = (bindings: Record<string, Binding>): Partial<ChannelAccess> => ({ filters: [filter(mine, bindings)] });

  test.each<[string, Partial<ChannelAccess>, Partial<ChannelDefinition>]>([
    ['nothing is bound to a claim', {}, {}],
    ['nothing is bound at all', bind({}), {}],
    ['a parameter that anybody may name', bind({ userId: param('x') }), {}],
    ['another claim', bind({ userId: claim('name') }), {}],
    ["another placeholder's claim", bind({ userId: claim('shop') }), {}],
    ['a fixed text', bind({ userId: text('u-1') }), {}],
    ['the claim in another placeholder', bind({ id: claim('sub') }), {}],
    ['a parameter that has to equal another claim', bind({ userId: param('x') }), { owner: { x: claim('name') } }],
    ['a parameter that has to equal a text', bind({ userId: param('x') }), { owner: { x: text('all') } }],
    ['a parameter that has to equal itself', bind({ userId: param('x') }), { owner: { x: param('x') } }],
    ['a role that is not exempt', { roles: ['customer'] }, {}],
    ['a role beside exempt ones', { roles: ['admin', 'customer'] }, {}],
    ['a grant for something else', { isGranted: true, ...bind({}) }, {}],
    ['a grant, and a text', { isGranted: true, ...bind({ id: text('all') }) }, {}],
  ])('refused: %s', (_, entry, more) => {
    expect(faultsWith(entry, more)).toEqual([
      expect.stringMatching(/would see mine events of others \(bind userId to s/),
    ]);
  });

  test.each<[string, Partial<ChannelAccess>, Partial<ChannelDefinition>]>([
    ['the claim', bind({ userId: claim('sub') }), {}],
    ['the other claim', bind({ shopId: claim('shop') }), {}],
    ['a text with the claim', bind({ userId: text('u-', 'sub') }), {}],
    ['a parameter that its owner binds', bind({ userId: param('x') }), { owner: { x: claim('sub') } }],
    ['a parameter that a condition binds', { ...bind({ userId: param('x') }), where: { x: claim('sub') } }, {}],
    ['exempt roles', { roles: ['operator', 'admin'], ...bind({}) }, {}],
    ['a grant for the parameter', { isGranted: true }, {}],
    ['a grant for a channel without parameters', { isGranted: true, ...bind({}) }, { name: 'one' }],
  ])('accepted: %s', (_, entry, more) => {
    expect(faultsWith(entry, more)).toEqual([]);
  });

  test('what is nobody’s own is for exempt roles alone', () => {
    const filters = [filter(sealed, { id: claim('sub') })];

    expect(faultsWith({ roles: ['admin'], filters })).toEqual([]);
    expect(faultsWith({ roles: ['operator'], filters })).toEqual([
      'channel one:{x}: operator would see sealed events of others (only exempt roles may)',
    ]);
  });

  test('one guarded filter among others is found', () => {
    const filters = [filter(mine, { userId: claim('sub') }), filter(mine, { id: param('x') })];

    expect(faultsWith({ filters }).length).toBe(1);
  });
});

function grantAll(): ChannelAccess {
  return { roles: 'any', filters: [filter(a, { y: claim('sub') })] };
}
