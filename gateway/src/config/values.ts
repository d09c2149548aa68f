// Kinds of option values: how a text of the environment or a value of the config file becomes what the program uses.
import { fail, ok, type Result } from '@sluice/schemas';

export interface Option<T> {
  /** Of docs/CONFIGURATION.md. */
  readonly section: string;
  /** What may be given, in words. */
  readonly accepts: string;
  readonly default: T;
  readonly help: string;
  /** Never shown, in faults or logs. */
  readonly isSecret: boolean;
  /** The environment has texts only. The result still has to pass `check`. */
  readonly fromText: (text: string) => unknown;
  readonly check: (value: unknown) => Result<T, string>;
}

interface Common<T> {
  readonly section: string;
  readonly default: T;
  readonly help: string;
}

const asText = (text: string): unknown => text;

interface TextRules {
  readonly accepts?: string;
  readonly isSecret?: boolean;
  /** What is wrong with this text, if anything. */
  readonly refuse?: (text: string) => string | undefined;
}

/** Some text; undefined by default. */
export const text = (common: Omit<Common<string | undefined>, 'default'> & TextRules): Option<string | undefined> => ({
  isSecret: false,
  accepts: 'text',
  ...common,
  default: undefined,
  fromText: asText,
  check: (value) => checkText(value, common),
});

/** Some text that is always there. */
export const requiredText = (common: Common<string> & TextRules): Option<string> => ({
  isSecret: false,
  accepts: 'text',
  ...common,
  fromText: asText,
  check: (value) => checkText(value, common),
});

const checkText = (value: unknown, { refuse }: TextRules): Result<string, string> => {
  if (typeof value !== 'string' || value === '') return fail('must be text');
  const fault = refuse?.(value);
  return fault === undefined ? ok(value) : fail(fault);
};

/** A comma-separated list in the environment, an array (or such a text) in the file. */
export const list = (common: Common<readonly string[]> & TextRules): Option<readonly string[]> => ({
  isSecret: false,
  accepts: 'comma-separated list',
  ...common,
  default: Object.freeze(common.default),
  fromText: asText,
  check: (value) => {
    const items: unknown = typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value;
    if (!Array.isArray(items)) return fail('must be a list');
    const checked: string[] = [];
    for (const item of items) {
      const one = checkText(item, common);
      if (!one.ok) return fail(one.error);
      checked.push(one.value);
    }
    return ok(Object.freeze(checked));
  },
});

export const integer = (common: Common<number> & { readonly min: number; readonly max: number }): Option<number> => ({
  ...common,
  isSecret: false,
  accepts: `integer, ${group(common.min)} to ${group(common.max)}`,
  fromText: (given) => (/^-?\d[\d_]*$/.test(given) ? Number(given.replaceAll('_', '')) : given),
  check: (value) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return fail('must be an integer');
    if (value < common.min || value > common.max) {
      return fail(`must be from ${group(common.min)} to ${group(common.max)}`);
    }
    return ok(value);
  },
});

const WORDS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
  ['1', true],
  ['0', false],
]);

export const flag = (common: Common<boolean>): Option<boolean> => ({
  ...common,
  isSecret: false,
  accepts: 'true or false',
  fromText: (given) => WORDS.get(given.toLowerCase()) ?? given,
  check: (value) => (typeof value === 'boolean' ? ok(value) : fail('must be true or false')),
});

export const choice = <const T extends string>(
  common: Common<NoInfer<T>> & { readonly choices: readonly T[] },
): Option<T> => ({
  ...common,
  isSecret: false,
  accepts: common.choices.join(', '),
  fromText: asText,
  check: (value) => {
    const chosen = common.choices.find((each) => each === value);
    return chosen === undefined ? fail(`must be one of ${common.choices.join(', ')}`) : ok(chosen);
  },
});

const GROUPED_FROM = 100_000;

/** 1000000 -> 1_000_000; shorter numbers, such as ports, as they are. */
export const group = (value: number): string =>
  value < GROUPED_FROM ? String(value) : String(value).replaceAll(/\B(?=(\d{3})+$)/g, '_');
