import { defineEntity, p } from '@mikro-orm/core';

/** Something that can be bought and sold. Its prices are dated rows of instrument_price. */
const InstrumentSchema = defineEntity({
  name: 'Instrument',
  tableName: 'instrument',
  properties: {
    id: p.text().primary(),
    name: p.text(),
    currency: p.text(),
    active: p.boolean().default(true),
  },
});

export class Instrument extends InstrumentSchema.class {}
InstrumentSchema.setClass(Instrument);
