/**
 * Settings of the services outside that know communities and notify people. Not set: rooms' logs alone say who is where, nobody is notified.
 */
import { integer, isServiceUrl, optionalText, type Setting, secretBytesMin } from './setting-kinds.ts';

const urlRule = { rule: 'a URL such as https://community.example.org/api, without user, ? and #', accepts: isServiceUrl } as const;
const secretRule = {
  isSecret: true,
  rule: `at least ${secretBytesMin} printable characters without blanks`,
  accepts: (value: string) => new RegExp(`^[\\x21-\\x7e]{${secretBytesMin},512}$`).test(value),
} as const;

export const directorySettings = {
  directoryUrl: optionalText({
    ...urlRule,
    description:
      'Community service: whom it lists as a member of a room, or of its community, may join it though it is not public. Asked at room:join and room:create only.',
  }),
  directorySecret: optionalText({
    ...secretRule,
    description:
      'Sent to the community service as a Bearer token, and accepted from it when it says that a list has changed. Weak and sample values are refused.',
  }),
  directoryTimeoutMs: integer({
    default: 2_000,
    unit: 'milliseconds',
    min: 100,
    max: 30_000,
    description: 'A call to the community service that takes longer has failed; it is made once more.',
  }),
  notifyUrl: optionalText({
    ...urlRule,
    description: 'Notification service: gets one POST for each new message with the ids of the members who are not in the room then.',
  }),
  notifySecret: optionalText({
    ...secretRule,
    description: 'Sent to the notification service as a Bearer token. Weak and sample values are refused.',
  }),
  notifyTimeoutMs: integer({
    default: 5_000,
    unit: 'milliseconds',
    min: 100,
    max: 30_000,
    description: 'A call to the notification service that takes longer has failed; it is made again for a minute.',
  }),
} as const satisfies Record<string, Setting<unknown>>;
