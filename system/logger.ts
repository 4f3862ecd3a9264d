/**
 * Logger: structured lines, one JSON object each. Only this file knows pino.
 *
 * Never log a message body, a token or a payload: log ids, sizes and types. Redaction and the serializer of errors are the
 * second line: errors of libraries quote what they choked on.
 */
import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { causeCharsMax, describeCause } from './cause.ts';
import { boundedLine } from './log-line.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error' | 'child' | 'isLevelEnabled'>;

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Fields of every line: node and incarnation. */
  readonly base: Readonly<Record<string, string>>;
  /** For people instead of for machines. */
  readonly isPretty?: boolean;
  /** Default: stdout, synchronous, so that the last line before an exit is there. */
  readonly destination?: DestinationStream;
}

/** Fields that would hold a secret or what people say, wherever somebody logs an object that has them. */
const secretFields = [
  'token',
  'accessToken',
  'authorization',
  'cookie',
  'secret',
  'password',
  'key',
  'text',
  'quote',
  'payload',
  'body',
  'headers',
  'auth',
];

export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level,
    base: { ...options.base },
    redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[redacted]' },
    serializers: { err: (err: unknown) => (typeof err === 'string' ? err.slice(0, causeCharsMax) : describeCause(err)) },
  };
  if (options.isPretty)
    return pino(
      settings,
      PinoPretty({
        sync: true,
        ignore: 'node,inc,v,path,kind,ev,state,hostname,pid',
        messageFormat: '{ev}{if path} {path}{end}{if state} {state}{end} {msg}',
      }),
    );
  const destination = options.destination ?? pino.destination({ dest: 1, sync: true });
  return pino(settings, { write: (line: string) => void destination.write(boundedLine(line)) });
}
