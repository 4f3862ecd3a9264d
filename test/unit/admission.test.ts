/**
 * Admission, its rates and whose address counts: pure counting, on a clock that the test moves.
 */
import { describe, expect, it } from 'vitest';
import { Admission, type AdmissionConfig, type Seat } from '../../gateway/admission.ts';
import { createAddressRule } from '../../gateway/client-address.ts';
import { RateTable } from '../../gateway/rate-table.ts';
import { isRefusal } from '../../gateway/session-port.ts';
import { testGatewayConfig } from '../support/gateway-fixtures.ts';
import { manualClock } from '../support/manual-clock.ts';

function setUp(config: Partial<AdmissionConfig> = {}) {
  const clock = manualClock();
  return { clock, admission: new Admission({ ...testGatewayConfig, ...config }, clock) };
}
const seated = (seat: Seat | { code: string }): Seat => {
  if (isRefusal(seat)) throw new Error(`refused: ${seat.code} ${seat.message}`);
  return seat as Seat;
};
const one = '198.51.100.1';
const other = '198.51.100.2';

describe('admission', () => {
  it('bounds handshakes in progress on the node with 503, a third of them from one address with 429', () => {
    const { admission } = setUp({ handshakesMax: 6 });
    const knocks = [{}, {}];
    for (const knock of knocks) {
      expect(admission.refusalOfKnock(one)).toBeUndefined();
      admission.knocked(knock, one);
    }
    expect(admission.refusalOfKnock(one)).toMatchObject({ status: 429, refusal: { code: 'TOO_MANY_CONNECTIONS', retryable: true } });
    for (let index = 0; index < 4; index += 1) {
      expect(admission.refusalOfKnock(undefined)).toBeUndefined();
      admission.knocked({}, undefined);
    }
    for (const address of [one, other, undefined]) {
      expect(admission.refusalOfKnock(address)).toMatchObject({ status: 503, refusal: { retryAfterMs: 1_000 } });
    }
    admission.doneKnocking(knocks[0] as object);
    admission.doneKnocking(knocks[0] as object);
    expect(admission.knocking).toBe(5);
    expect(admission.refusalOfKnock(one)).toBeUndefined();
  });

  it('bounds connections of a user and of an address, refuses the later one, and takes another when one has left, once', () => {
    const { admission } = setUp({ userConnectionsMax: 2, addressConnectionsMax: 3 });
    const first = seated(admission.sit('ada', one));
    seated(admission.sit('ada', other));
    expect(admission.sit('ada', undefined)).toMatchObject({ code: 'TOO_MANY_CONNECTIONS', retryable: true, retryAfterMs: 1_000 });
    seated(admission.sit('bob', one));
    seated(admission.sit('eve', one));
    expect(admission.sit('carol', one)).toMatchObject({ code: 'TOO_MANY_CONNECTIONS' });
    first.leave();
    first.leave();
    seated(admission.sit('ada', one));
    expect(isRefusal(admission.sit('ada', one))).toBe(true);
    expect(isRefusal(admission.sit('carol', one))).toBe(true);
    for (let index = 0; index < 50; index += 1) seated(admission.sit(`local-${index}`, undefined));
  });

  it('refuses everybody when the node is full', () => {
    const { admission } = setUp({ connectionsMax: 1 });
    const seat = seated(admission.sit('ada', one));
    expect(admission.sit('bob', undefined)).toMatchObject({ code: 'TOO_MANY_CONNECTIONS', message: 'the node is full' });
    seat.leave();
    seated(admission.sit('bob', undefined));
  });

  it('gives all connections of a user one rate and all of an address another, each with the time to come again', () => {
    const { admission, clock } = setUp({
      userCommandsPerSecondMax: 10,
      userCommandsBurstMax: 10,
      addressCommandsPerSecondMax: 10,
      addressCommandsBurstMax: 15,
    });
    const ada = [one, other].map((address) => seated(admission.sit('ada', address)));
    const bob = seated(admission.sit('bob', one));
    for (let index = 0; index < 10; index += 1) expect(ada[index % 2]?.refusalOfCommand()).toBeUndefined();
    for (const seat of ada) expect(seat.refusalOfCommand()).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: 100 });
    for (let index = 0; index < 10; index += 1) expect(bob.refusalOfCommand()).toBeUndefined();
    clock.advance(1_000);
    // Ada's five and Bob's ten of before left her address none; a second gave it ten.
    for (let index = 0; index < 10; index += 1) expect(ada[0]?.refusalOfCommand()).toBeUndefined();
    expect(bob.refusalOfCommand()).toMatchObject({ code: 'RATE_LIMITED', message: 'too many commands from your address' });
  });

  it('bounds the rate of handshakes of an address, and of no other', () => {
    const { admission, clock } = setUp({ addressHandshakesPerSecondMax: 1, addressHandshakesBurstMax: 3 });
    for (let index = 0; index < 3; index += 1) expect(admission.refusalOfKnock(one)).toBeUndefined();
    expect(admission.refusalOfKnock(one)).toMatchObject({ status: 429, refusal: { retryAfterMs: 1_000 } });
    expect(admission.refusalOfKnock(other)).toBeUndefined();
    for (let index = 0; index < 50; index += 1) expect(admission.refusalOfKnock(undefined)).toBeUndefined();
    clock.advance(1_000);
    expect(admission.refusalOfKnock(one)).toBeUndefined();
  });

  it('looks at no token of an address that brought too many bad ones, until that is made good', () => {
    const { admission, clock } = setUp({ addressBadTokensPerSecondMax: 1, addressBadTokensBurstMax: 3 });
    const seat = seated(admission.sit('ada', one));
    for (let index = 0; index < 3; index += 1) {
      expect(admission.badTokenWaitMs(one)).toBeUndefined();
      admission.badToken(one);
    }
    expect(admission.badTokenWaitMs(one)).toBe(1_000);
    expect(seat.badTokenWaitMs()).toBe(1_000);
    expect(admission.refusalOfKnock(one)).toMatchObject({ status: 429, refusal: { code: 'TOO_MANY_CONNECTIONS', retryAfterMs: 1_000 } });
    expect(admission.badTokenWaitMs(other)).toBeUndefined();
    expect(seat.refusalOfCommand()).toBeUndefined();
    clock.advance(1_000);
    expect(admission.badTokenWaitMs(one)).toBeUndefined();
    seat.badToken();
    expect(admission.badTokenWaitMs(one)).toBe(1_000);
    for (let index = 0; index < 50; index += 1) admission.badToken(undefined);
    expect(admission.badTokenWaitMs(undefined)).toBeUndefined();
  });
});

describe('a table of rates', () => {
  const table = (settings: { perSecondMax?: number; burstMax?: number; keysMax?: number } = {}) => {
    const clock = manualClock(100_000);
    return { clock, rates: new RateTable({ perSecondMax: 1, burstMax: 2, keysMax: 1_000, ...settings }, clock) };
  };

  it('refuses a key over its rate, and no other', () => {
    const { clock, rates } = table();
    expect([rates.take('ada'), rates.take('ada')]).toEqual([undefined, undefined]);
    expect(rates.take('ada')).toBe(1_000);
    expect(rates.take('bob')).toBeUndefined();
    clock.advance(1_000);
    expect(rates.take('ada')).toBeUndefined();
  });

  it('remembers so many keys, and forgets the one that was not seen for the longest', () => {
    const { clock, rates } = table({ burstMax: 1, perSecondMax: 0.1, keysMax: 100 });
    for (let index = 0; index < 100; index += 1) rates.take(`u${index}`);
    clock.advance(1_000); // Which of two was seen later is known to a second.
    expect(rates.take('u0')).toBeGreaterThan(0);
    rates.take('one more');
    expect(rates.size).toBe(100);
    expect(rates.take('u0')).toBeGreaterThan(0);
    expect(rates.take('u1')).toBeUndefined();
  });

  it('forgets who rests long before it is full, and judges as if it had not', () => {
    const { clock, rates } = table();
    for (let index = 0; index < 500; index += 1) rates.take(`u${index}`);
    rates.take('busy');
    rates.take('busy');
    rates.take('busy');
    clock.advance(1_500);
    rates.take('busy');
    for (let index = 0; index < 2; index += 1) {
      rates.take('last');
      clock.advance(10);
    }
    expect(rates.size).toBe(2);
    expect(rates.waitMs('busy')).toBe(480);
    expect(rates.waitMs('never seen')).toBeUndefined();
  });
});

describe('the address that counts', () => {
  const addressOf = createAddressRule(['10.0.0.0/8', '192.0.2.7', '::1', 'fd00::/8']);
  const of = (remoteAddress: string | undefined, forwarded?: string): string | undefined =>
    addressOf({ socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } });

  it.each([
    ['198.51.100.1', undefined, '198.51.100.1'],
    ['::ffff:198.51.100.1', undefined, '198.51.100.1'],
    ['127.0.0.1', undefined, undefined],
    ['::ffff:127.0.0.1', undefined, undefined],
    ['::1', undefined, undefined],
    [undefined, undefined, undefined],
    // A stranger's claim counts for nothing.
    ['198.51.100.1', '203.0.113.9', '198.51.100.1'],
    ['127.0.0.1', '203.0.113.9', undefined],
    // A proxy's word does; the client's own claims, before it, do not.
    ['10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.1.2.3', '6.6.6.6, 203.0.113.9', '203.0.113.9'],
    ['10.1.2.3', '203.0.113.9, 10.9.9.9, 192.0.2.7', '203.0.113.9'],
    ['::1', '203.0.113.9', '203.0.113.9'],
    ['fd00::5', '203.0.113.9', '203.0.113.9'],
    ['192.0.2.8', '203.0.113.9', '192.0.2.8'],
    // Proxies themselves, and what is no address.
    ['10.1.2.3', undefined, undefined],
    ['10.1.2.3', '10.4.4.4', undefined],
    ['10.1.2.3', '', undefined],
    ['10.1.2.3', 'unknown', undefined],
    ['10.1.2.3', '203.0.113.9, evil', undefined],
    ['10.1.2.3', 'evil, 203.0.113.9', '203.0.113.9'],
    ['10.1.2.3', '127.0.0.1', undefined],
    // A /64 is one address.
    ['2001:db8:1:2:3:4:5:6', undefined, '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', undefined, '2001:db8:1:2::/64'],
    ['2001:db8::9', undefined, '2001:db8:0:0::/64'],
    ['fe80::1%eth0', undefined, 'fe80:0:0:0::/64'],
    ['64:ff9b::203.0.113.9', undefined, '64:ff9b:0:0::/64'],
    ['::2', undefined, '0:0:0:0::/64'],
  ])('%s with X-Forwarded-For %s: %s', (peer, forwarded, key) => {
    expect(of(peer, forwarded)).toBe(key);
  });
});
