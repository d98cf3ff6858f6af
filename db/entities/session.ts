import { defineEntity, p } from '@mikro-orm/core';

/** A signed-in session; the token itself is never stored. */
const SessionSchema = defineEntity({
  name: 'Session',
  tableName: 'session',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    tokenHash: p.blob().hidden(),
    loginId: p.uuid().nullable(),
    deviceId: p.uuid().nullable(),
    scope: p.text().$type<'full' | 'password_change'>(),
    channel: p.text().$type<'cookie' | 'bearer'>(),
    factorAt: p.datetime().nullable(),
    ip: p.text().nullable(),
    userAgent: p.text().nullable(),
    createdAt: p.datetime().defaultRaw('clock_timestamp()'),
    lastSeenAt: p.datetime().defaultRaw('clock_timestamp()'),
    expiresAt: p.datetime(),
    revokedAt: p.datetime().nullable(),
    revokedReason: p.text().nullable(),
  },
});

export class Session extends SessionSchema.class {}
SessionSchema.setClass(Session);
