import { AppUser } from './app-user.ts';
import { Device } from './device.ts';
import { Incident, IncidentEvent } from './incident.ts';
import { Instrument } from './instrument.ts';
import { Session } from './session.ts';
import { Transaction } from './transaction.ts';

/** Every entity that the object side of the program reads. */
export const entities = [AppUser, Device, Incident, IncidentEvent, Instrument, Session, Transaction];
