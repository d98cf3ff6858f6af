import { defineEntity, p } from '@mikro-orm/core';
import type { Role } from '../../domain/roles.ts';

/** A person who can sign in. The password hash is loaded only when it is asked for by name. */
const AppUserSchema = defineEntity({
  name: 'AppUser',
  tableName: 'app_user',
  properties: {
    id: p.uuid().primary(),
    email: p.text(),
    emailKey: p.text(),
    fullName: p.text(),
    timeZone: p.text().nullable(),
    role: p.text().$type<Role>(),
    passwordHash: p.text().nullable().lazy(),
    passwordOneTime: p.boolean().default(false),
    passwordChangedAt: p.datetime().nullable(),
    emailConfirmedAt: p.datetime().nullable(),
    disabledAt: p.datetime().nullable(),
    restrictedAt: p.datetime().nullable(),
    createdAt: p.datetime().defaultRaw('clock_timestamp()'),
  },
});

export class AppUser extends AppUserSchema.class {}
AppUserSchema.setClass(AppUser);
