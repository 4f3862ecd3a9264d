/**
 * Logger: structured lines, one JSON object each. Only this file knows pino.
 *
 * Never log a message body, a token or a payload: log ids, sizes and types.
 */
import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';

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

export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level,
    base: { ...options.base },
    redact: {
      paths: ['token', '*.token', 'authorization', '*.authorization', 'secret', '*.secret', 'text', '*.text'],
      censor: '[redacted]',
    },
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
  return options.destination ? pino(settings, options.destination) : pino(settings);
}
