import { defineEntity, p } from '@mikro-orm/core';
import type { DeviceComponents } from '../../domain/device.ts';

/** A device of a user, known by its signature and, in browsers, by a cookie of which only the hash is kept. */
const DeviceSchema = defineEntity({
  name: 'Device',
  tableName: 'device',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    signature: p.blob(),
    components: p.json<DeviceComponents>(),
    cookieHash: p.blob().nullable(),
    trustedAt: p.datetime().nullable(),
    firstSeenAt: p.datetime().defaultRaw('clock_timestamp()'),
    lastSeenAt: p.datetime().defaultRaw('clock_timestamp()'),
    revokedAt: p.datetime().nullable(),
  },
});

export class Device extends DeviceSchema.class {}
DeviceSchema.setClass(Device);
