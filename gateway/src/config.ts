// Options from defaults, file and environment -> one validated, frozen Config, or every fault at once. Reads nothing by
// itself: the environment and the way to read files are passed in.
import { fail, ok, type Result } from '@sluice/schemas';
import { limitAlgorithms, parseJwksUrl, parsePublicKey, parseSecret, type VerificationKey } from './access/keys.ts';
import { FOREIGN_VARIABLES, OPTIONS, type Options } from './config/table.ts';
import type { Option } from './config/values.ts';

export interface Config extends Options {
  /** From whichever of the token options was given, limited to the configured algorithms. */
  readonly verificationKey: VerificationKey;
  /** What natsCredsFile holds. */
  readonly natsCreds: string | undefined;
}

export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Text of a file; throws if it cannot be read. */
  readonly readFile: (path: string) => string;
}

export interface ConfigFault {
  /** Name of the variable or file key as it was given; several, where they contradict each other. */
  readonly option: string;
  readonly message: string;
  /** The value as received; secrets are hidden. */
  readonly received?: string;
}

type OptionName = keyof Options;
const isOptionName = (name: string): name is OptionName => Object.hasOwn(OPTIONS, name);
const NAMES: readonly OptionName[] = Object.keys(OPTIONS).filter(isOptionName);

/** `tailMaxBytes` is `SLUICE_TAIL_MAX_BYTES` in the environment. */
export const toEnvName = (name: string): string =>
  `SLUICE_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** Environment over file (`SLUICE_CONFIG`) over defaults. */
export const loadConfig = (sources: ConfigSources): Result<Config, readonly ConfigFault[]> => {
  const faults: ConfigFault[] = [];
  const file = readConfigFile(sources, faults);
  refuseUnknown(sources.env, file, faults);
  const options = readOptions(sources.env, file, faults);
  const readText = (name: OptionName): string | undefined => readNamedFile(options[name], name, sources, faults);
  for (const name of ['natsTlsCaFile', 'natsTlsCertFile', 'natsTlsKeyFile'] as const) readText(name);
  const natsCreds = readText('natsCredsFile');
  checkTogether(options, faults);
  const verificationKey = readKey(options, readText, faults);
  if (faults.length > 0 || !verificationKey) return fail(faults);
  return ok(Object.freeze({ ...options, verificationKey, natsCreds }));
};

/** One line per fault, for people. */
export const formatFaults = (faults: readonly ConfigFault[]): string =>
  faults
    .map(({ option, message, received }) => `${option} ${message}${received === undefined ? '' : ` (got ${received})`}`)
    .join('\n');

/** Every option as a log may show it. */
export const describeConfig = (config: Config): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    NAMES.filter((name) => config[name] !== undefined).map((name) => [name, redact(OPTIONS[name], config[name])]),
  );

const readConfigFile = ({ env, readFile }: ConfigSources, faults: ConfigFault[]): Readonly<Record<string, unknown>> => {
  const path = env['SLUICE_CONFIG'];
  if (!path) return {};
  let content: string;
  try {
    content = readFile(path);
  } catch (error) {
    faults.push({ option: 'SLUICE_CONFIG', message: `cannot be read: ${reasonOf(error)}`, received: path });
    return {};
  }
  try {
    const parsed: unknown = JSON.parse(content);
    if (isRecord(parsed)) return parsed;
  } catch {
    // The parser's words may quote a secret of the file.
  }
  faults.push({ option: 'SLUICE_CONFIG', message: 'is not a JSON object', received: path });
  return {};
};

const refuseUnknown = (
  env: ConfigSources['env'],
  file: Readonly<Record<string, unknown>>,
  faults: ConfigFault[],
): void => {
  const known = new Set(NAMES.map(toEnvName));
  const isForeign = (name: string): boolean =>
    FOREIGN_VARIABLES.some((each) => (each.endsWith('_') ? name.startsWith(each) : name === each));
  for (const name of Object.keys(env)) {
    if (!name.startsWith('SLUICE_') || known.has(name) || isForeign(name)) continue;
    faults.push({ option: name, message: `is no option${suggest(name, [...known])}` });
  }
  for (const name of Object.keys(file)) {
    if (!isOptionName(name)) faults.push({ option: name, message: `is no option of the file${suggest(name, NAMES)}` });
  }
};

const readOptions = (
  env: ConfigSources['env'],
  file: Readonly<Record<string, unknown>>,
  faults: ConfigFault[],
): Options => {
  const values: Record<string, unknown> = {};
  for (const name of NAMES) {
    const option: Option<unknown> = OPTIONS[name];
    values[name] = option.default;
    const text = env[toEnvName(name)];
    // An empty variable is an absent one: compose files and charts pass on what is not set that way.
    const isFromEnv = text !== undefined && text !== '';
    if (!isFromEnv && !Object.hasOwn(file, name)) continue;
    const given = isFromEnv ? option.fromText(text) : file[name];
    const checked = option.check(given);
    if (checked.ok) values[name] = checked.value;
    else {
      const received = redact(option, isFromEnv ? text : given);
      faults.push({ option: isFromEnv ? toEnvName(name) : name, message: checked.error, received: show(received) });
    }
  }
  // The table's type says that each option yields the type of its name.
  return values as unknown as Options; // oxlint-disable-line typescript/no-unsafe-type-assertion
};

const readNamedFile = (
  path: unknown,
  name: string,
  { readFile }: ConfigSources,
  faults: ConfigFault[],
): string | undefined => {
  if (typeof path !== 'string') return undefined;
  try {
    return readFile(path);
  } catch (error) {
    faults.push({ option: toEnvName(name), message: `cannot be read: ${reasonOf(error)}`, received: show(path) });
    return undefined;
  }
};

const KEY_OPTIONS = ['tokenSecret', 'tokenSecretFile', 'tokenPublicKey', 'tokenPublicKeyFile', 'tokenJwksUrl'] as const;

const checkTogether = (options: Options, faults: ConfigFault[]): void => {
  const given = (...names: OptionName[]): OptionName[] => names.filter((name) => options[name] !== undefined);
  const fault = (names: readonly OptionName[], message: string): void => {
    faults.push({ option: names.map(toEnvName).join(', '), message });
  };
  const keys = given(...KEY_OPTIONS);
  if (keys.length === 0) fault(KEY_OPTIONS, 'are all missing: one of them must say how tokens are verified');
  if (keys.length > 1) fault(keys, 'are given together: exactly one source of keys must be');
  for (const pair of [
    ['natsUser', 'natsPassword'],
    ['natsTlsCertFile', 'natsTlsKeyFile'],
  ] as const) {
    if (given(...pair).length === 1) fault(pair, 'belong together: only one of them is given');
  }
  const logins = given('natsUser', 'natsToken', 'natsCredsFile');
  if (logins.length > 1) fault(logins, 'are given together: there is one way to log in');
  if (options.port !== 0 && options.port === options.operationsPort) {
    fault(['port', 'operationsPort'], `are both ${options.port}`);
  }
  const notAbove = (lower: OptionName, upper: OptionName): void => {
    const [low, high] = [Number(options[lower]), Number(options[upper])];
    if (low > high) fault([lower, upper], `contradict each other: ${low} is more than ${high}`);
  };
  notAbove('unauthenticatedMaxBytes', 'maxFrameBytes');
  notAbove('tokenMaxBytes', 'unauthenticatedMaxBytes');
  notAbove('socketBudgetBytes', 'maxQueuedBytesPerUser');
  notAbove('maxSubscriptionsPerSocket', 'maxSubscriptionsPerUser');
  notAbove('maxConnectionsPerUser', 'maxConnections');
  notAbove('maxRequestsInFlightPerSocket', 'maxRequestsInFlightPerUser');
  notAbove('maxRequestsInFlightPerUser', 'maxRequestsInFlight');
  notAbove('drainWindowMs', 'shutdownTimeoutMs');
  if (3 * options.presenceLeaseMs > options.presenceDeadAfterMs) {
    const message = `contradict each other: a pod that misses one or two of its ${options.presenceLeaseMs} ms is not dead`;
    fault(['presenceLeaseMs', 'presenceDeadAfterMs'], message);
  }
};

const readKey = (
  options: Options,
  readText: (name: OptionName) => string | undefined,
  faults: ConfigFault[],
): VerificationKey | undefined => {
  const refuse = (names: readonly OptionName[], message: string): undefined => {
    faults.push({ option: names.map(toEnvName).join(', '), message });
  };
  const parsers: Readonly<Record<(typeof KEY_OPTIONS)[number], (text: string) => Result<VerificationKey, string>>> = {
    tokenSecret: parseSecret,
    tokenSecretFile: (content) => parseSecret(content.replace(/\r?\n$/, '')),
    tokenPublicKey: (key) => parsePublicKey(key.trimStart().startsWith('{') ? key : key.replaceAll('\\n', '\n')),
    tokenPublicKeyFile: parsePublicKey,
    tokenJwksUrl: parseJwksUrl,
  };
  let found: VerificationKey | undefined;
  for (const name of KEY_OPTIONS) {
    const content = name.endsWith('File') ? readText(name) : options[name];
    if (content === undefined) continue;
    const parsed = parsers[name](content);
    if (!parsed.ok) refuse([name], parsed.error);
    else if (options.tokenAlgorithms.length === 0) found = parsed.value;
    else {
      const limited = limitAlgorithms(parsed.value, options.tokenAlgorithms);
      if (limited.ok) found = limited.value;
      else refuse(['tokenAlgorithms', name], limited.error);
    }
  }
  return found;
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const reasonOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unreadable';

const HIDDEN = '(hidden)';

/** Secrets, and passwords inside URLs, never leave this file. */
const redact = (option: Option<unknown>, value: unknown): unknown => {
  if (option.isSecret) return HIDDEN;
  const hide = (text: string): string => text.replaceAll(/:\/\/[^/@,\s]*@/g, `://${HIDDEN}@`);
  if (typeof value === 'string') return hide(value);
  return Array.isArray(value) ? value.map((each: unknown) => (typeof each === 'string' ? hide(each) : each)) : value;
};

const MAX_SHOWN_CHARS = 120;
const show = (value: unknown): string => {
  const shown = JSON.stringify(value) ?? String(value);
  return shown.length > MAX_SHOWN_CHARS ? `${shown.slice(0, MAX_SHOWN_CHARS)}...` : shown;
};

/** The known name that differs least, if it is a likely slip. */
const suggest = (name: string, known: readonly string[]): string => {
  const parts = new Set(name.toLowerCase().match(/[a-z]{2}/g));
  const rank = (other: string): number => {
    const letters = other.toLowerCase();
    return (
      [...parts].filter((part) => letters.includes(part)).length / parts.size -
      Math.abs(letters.length - name.length) / 10
    );
  };
  const [best] = [...known].sort((a, b) => rank(b) - rank(a));
  return best !== undefined && rank(best) > 0.6 ? `: did you mean ${best}?` : '';
};
